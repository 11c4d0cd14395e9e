import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRedactor } from '../../src/core/redact.ts'
import { PurserError } from '../../src/errors.ts'
import { toErrorResponse } from '../../src/openai/error-response.ts'
import { parseErrorBody } from '../../src/providers/http/error-body.ts'
import { mapHttpError, mapInBandError } from '../../src/providers/http/errors.ts'
import {
  complete,
  createModelRequest,
  KINDS,
  openProviderHarness,
  useHostileEnvironment,
} from '../support/provider-harness.ts'
import { sendEvents, sendJson } from '../support/provider-upstream.ts'

useHostileEnvironment()

const words = 'Unknown name "seed": Cannot find field.'
const asIs = (text: string) => text

/** Bodies of refusals as providers and proxies write them, and what the client is told. */
const BODIES: Readonly<Record<string, readonly [body: unknown, message: string | undefined]>> = {
  'OpenAI, Azure, Groq': [{ error: { message: words, type: 'invalid_request_error', param: null, code: null } }, words],
  'Gemini at its OpenAI address': [[{ error: { code: 400, message: words, status: 'INVALID_ARGUMENT' } }], words],
  'several errors': [[{ error: { message: 'a' } }, { error: { message: 'b' } }], 'a; b'],
  Anthropic: [{ type: 'error', error: { type: 'invalid_request_error', message: words } }, words],
  Ollama: [{ error: words }, words],
  'Mistral, Cohere': [{ object: 'error', message: words, type: 'invalid_request_error', code: 3051 }, words],
  'Mistral, nested': [
    { object: 'error', message: { detail: [{ msg: words, loc: ['body', 'seed'] }] } },
    `body.seed: ${words}`,
  ],
  FastAPI: [{ detail: words }, words],
  pydantic: [{ detail: [{ type: 'extra_forbidden', loc: ['body', 0, 'seed'], msg: words }] }, `body.0.seed: ${words}`],
  'a message that is an object': [{ error: { message: { text: words } } }, words],
  Cloudflare: [{ success: false, errors: [{ code: 5006, message: words }], messages: [] }, words],
  'errors by field': [{ errors: { seed: [words, 'b'] } }, `seed: ${words}; b`],
  'Hugging Face': [{ error: [words], error_type: 'validation' }, words],
  OAuth: [{ error: 'invalid', error_description: words }, words],
  'problem details': [{ type: 'about:blank', title: 'Bad Request', status: 400, detail: words }, words],
  NestJS: [{ statusCode: 400, message: [words], error: 'Bad Request' }, words],
  'AWS, capitals': [{ __type: 'ValidationException', Message: words }, words],
  OpenRouter: [
    {
      error: {
        message: 'Provider returned error',
        code: 400,
        metadata: { raw: `{"error":{"message":${JSON.stringify(words)}}}` },
      },
    },
    `Provider returned error: ${words}`,
  ],
  'a body quoted as text': [{ error: JSON.stringify({ error: { message: words } }) }, words],
  'a JSON text': [JSON.stringify(words), words],
  'plain text': [words, words],
  'plain text of several lines': [`  Unknown name "seed":\r\n\tCannot find field.\n`, words],
  'an event': [`event: error\ndata: ${JSON.stringify({ error: { message: words } })}\n\n`, words],
  'JSON that was cut': ['{"error":{"message":"Unknown', '{"error":{"message":"Unknown'],
  markup: ['<html><script>alert(1)</script></html>', undefined],
  nothing: ['', undefined],
  'an object that says nothing': [{ success: false, errors: [], error: null, message: '' }, undefined],
  null: ['null', undefined],
}

for (const [shape, [body, message]] of Object.entries(BODIES)) {
  test(`what a provider says in a refusal reaches the client: ${shape}`, () => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    assert.equal(parseErrorBody(text, asIs).message, message)
    const error = mapHttpError({ provider: 'p', status: 400, headers: {}, text, now: 0, redact: asIs })
    assert.equal(error.message, message ?? "The provider 'p' rejected the request (status 400).")
  })
}

test('a deep or long body is read to a limit, and no half character is left', () => {
  const nest = (depth: number): unknown => (depth === 0 ? words : { error: nest(depth - 1) })
  assert.equal(parseErrorBody(JSON.stringify(nest(5)), asIs).message, words)
  assert.equal(parseErrorBody(JSON.stringify(nest(500)), asIs).message, undefined)
  const long = parseErrorBody(JSON.stringify({ error: `x${'😀'.repeat(5_000)}` }), asIs).message ?? ''
  assert.equal(long.length, 1_000)
  assert.ok(long.isWellFormed())
})

test('keys are masked in every field and in every escape of JSON', () => {
  const key = 'sk-a/b+c=é'
  const redact = createRedactor([key])
  const php = String.raw`sk-a\/b+c=\u00e9`
  const bodies = [
    `{"error":{"message":"bad ${php}","code":"x","param":"${php}"}}`,
    `[{"error":{"message":"bad ${key}"}}]`,
    `{"detail":[{"loc":["${php}"],"msg":"bad"}]}`,
    `{"error":"{\\"message\\":\\"${key}\\"}"}`,
    `bad ${key}`,
    `{"error":{"message":"bad","code":"sk-CANARY"}}`,
  ]
  for (const text of bodies) {
    const both = (quoted: string) => createRedactor(['sk-CANARY'])(redact(quoted))
    const parsed = JSON.stringify(parseErrorBody(text, both))
    assert.ok(!parsed.includes('b+c') && !parsed.includes('CANARY'), parsed)
  }
})

test('a refusal in a stream is quoted like one with a status, by its number or its name', () => {
  const cases: [{ error: unknown }, string][] = [
    [{ error: { code: 400, message: words, status: 'INVALID_ARGUMENT' } }, 'upstream_rejected'],
    [{ error: { message: words, type: 'invalid_request_error', code: null } }, 'upstream_rejected'],
    [{ error: { message: words, status_code: 422 } }, 'upstream_rejected'],
    [{ error: { message: words, type: 'rate_limit_error' } }, 'upstream_rate_limited'],
    [{ error: { message: words, type: 'overloaded_error' } }, 'upstream_failed'],
    [{ error: words }, 'upstream_failed'],
  ]
  for (const [body, code] of cases) {
    const error = mapInBandError('p', body.error, asIs)
    assert.equal(error.code, code)
    if (code === 'upstream_rejected') assert.equal(error.message, words)
  }
})

for (const kind of KINDS) {
  test(`${kind}: headers and query of the operator are masked in a refusal, as the key is`, async () => {
    await using harness = await openProviderHarness({
      handler: (response, { headers, path }) =>
        sendJson(response, 400, {
          error: { message: JSON.stringify([headers, path]), type: 't', code: 400, status: 'S' },
          message: 'm',
        }),
    })
    const headers = {
      'x-gateway-key': 'GATEWAY-CANARY',
      'proxy-authorization': 'Bearer TOKEN-CANARY',
      'x-session': 'a=SESSION-CANARY; b=1',
    }
    for (const fields of [{}, { credentials: { apiKey: 'OWN-KEY-CANARY', accessKeyId: 'ID-CANARY' } }]) {
      const config = harness.configure(kind, { apiKey: 'OPERATOR-KEY-CANARY', headers })
      for (const stream of [false, true]) {
        const error = await complete(harness.build(config, fields).chat, stream).catch((cause: unknown) => cause)
        assert.ok(PurserError.is(error, 'upstream_rejected'), String(error))
        assert.doesNotMatch(error.message, /CANARY/)
      }
    }
    assert.ok(harness.upstream.requests.every((request) => request.headers['x-gateway-key'] === 'GATEWAY-CANARY'))
  })
}

test('the query of a configured address is masked', async () => {
  await using harness = await openProviderHarness({
    handler: (response, { path }) => sendJson(response, 404, { detail: `no ${path}` }),
  })
  const baseURL = `${harness.upstream.url}/v1?code=QUERY-CANARY`
  const { chat } = harness.build({ kind: 'openai-compatible', baseURL, apiKey: '' })
  await assert.rejects(complete(chat, false), { message: 'no /v1/chat/completions?code=[redacted]' })
})

test('the secrets of a request are masked in an error in a stream, too', async () => {
  await using harness = await openProviderHarness({
    handler(response) {
      sendEvents(response, [JSON.stringify({ error: { message: 'bad GATEWAY-CANARY', code: 400 } })])
      response.end()
    },
  })
  const config = harness.configure('openai-compatible', { apiKey: '', headers: { 'x-key': 'GATEWAY-CANARY' } })
  await assert.rejects(complete(harness.build(config).chat, true), { message: 'bad [redacted]' })
})

/** Status of the provider; code; status for the client; `retryable`; whether clients are told not to retry. */
const STATUSES: readonly (readonly [number, string, number, boolean])[] = [
  [400, 'upstream_rejected', 400, false],
  [401, 'upstream_auth', 502, false],
  [402, 'upstream_rejected', 402, false],
  [403, 'upstream_auth', 502, false],
  [404, 'upstream_rejected', 404, false],
  [405, 'upstream_rejected', 400, false],
  [406, 'upstream_rejected', 400, false],
  [407, 'upstream_auth', 502, false],
  [408, 'upstream_failed', 502, true],
  [409, 'upstream_failed', 502, true],
  [410, 'upstream_rejected', 400, false],
  [413, 'upstream_rejected', 413, false],
  [415, 'upstream_rejected', 415, false],
  [418, 'upstream_rejected', 400, false],
  [422, 'upstream_rejected', 422, false],
  [425, 'upstream_failed', 502, true],
  [429, 'upstream_rate_limited', 429, true],
  [451, 'upstream_rejected', 451, false],
  [500, 'upstream_failed', 502, true],
  [503, 'upstream_failed', 502, true],
  [529, 'upstream_failed', 502, true],
]

test('each status of a provider tells clients whether to retry, and when', () => {
  for (const [status, code, clientStatus, retryable] of STATUSES) {
    const headers = { 'retry-after': '7' }
    const error = mapHttpError({ provider: 'p', status, headers, text: '{"message":"No."}', now: 0, redact: asIs })
    const response = toErrorResponse(error)
    assert.deepEqual([error.code, response.status, error.retryable], [code, clientStatus, retryable], String(status))
    assert.equal(response.headers['x-should-retry'], retryable ? undefined : 'false', String(status))
    assert.equal(response.headers['retry-after'], retryable ? '7' : undefined, String(status))
    if (code === 'upstream_rejected') assert.equal(response.body.error.message, 'No.')
  }
})

test('a provider that has no credit is not a rate limit, and is not called again', () => {
  const text = '{"error":{"message":"You exceeded your current quota.","code":"insufficient_quota"}}'
  const error = mapHttpError({ provider: 'p', status: 429, headers: {}, text, now: 0, redact: asIs })
  const { status, headers, body } = toErrorResponse(error)
  assert.deepEqual([status, headers['x-should-retry'], body.error.code], [402, 'false', 'insufficient_quota'])
})

test('the wait that a provider asks for is read in every form and bounded to an hour', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  const cases: [Record<string, string | string[]>, number | undefined][] = [
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': ' 7 ' }, 7_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': ['7', '9'] }, 7_000],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
    [{ 'retry-after-ms': 'soon', 'retry-after': '9' }, 9_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'Thu, 01 Jan 2099 00:00:00 GMT' }, 3_600_000],
    [{ 'retry-after': '99999999999999999999' }, 3_600_000],
    [{ 'retry-after': 'Infinity' }, 3_600_000],
    [{ 'retry-after-ms': '1e300' }, 3_600_000],
    [{ 'retry-after': '-1' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{}, undefined],
  ]
  for (const [headers, retryAfterMs] of cases) {
    for (const status of [429, 503, 529]) {
      const { details } = mapHttpError({ provider: 'p', status, headers, text: '', now, redact: asIs })
      assert.equal(details?.retryAfterMs, retryAfterMs, JSON.stringify(headers))
    }
  }
})

test('a model request without a key has no secrets but those of its configuration', async () => {
  await using harness = await openProviderHarness({
    handler: (response) => sendJson(response, 400, 'word of a provider'),
  })
  const request = createModelRequest(harness.configure('openai-compatible', { apiKey: '', headers: { 'x-a': 'a' } }))
  await assert.rejects(complete(harness.build(request.config).chat, false), { message: 'word of a provider' })
})
