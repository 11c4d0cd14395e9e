import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { LookupFunction } from 'node:net'
import { after, before, test } from 'node:test'
import { createModels } from '../../src/adapters/models.ts'
import { PurserError } from '../../src/errors.ts'
import type { ChatCompletion } from '../../src/model/chat.ts'
import { completionOf } from '../../src/model/completion.ts'
import type { ChatModel } from '../../src/model/port.ts'
import type { ProviderConfig, ProviderOption } from '../../src/options.ts'
import type { ModelOrder } from '../../src/runtime/port.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { rounds } from '../share.ts'
import { answerWith, openUpstream, type Script, type Seen, sendEvents, sendJson, type Upstream } from './upstream.ts'
import { SPEAKERS } from './wire-formats.ts'

const TRAP = 'http://127.0.0.1:9/trap'
const HOSTILE = {
  OPENAI_API_KEY: 'server-key',
  OPENAI_BASE_URL: TRAP,
  OPENAI_ORGANIZATION: 'server-org',
  ANTHROPIC_API_KEY: 'server-key',
  ANTHROPIC_AUTH_TOKEN: 'server-key',
  ANTHROPIC_BASE_URL: TRAP,
  GOOGLE_GENERATIVE_AI_API_KEY: 'server-key',
  AZURE_API_KEY: 'server-key',
  AZURE_RESOURCE_NAME: 'server-resource',
  AWS_REGION: 'us-west-1',
  AWS_ACCESS_KEY_ID: 'server-key',
  AWS_SECRET_ACCESS_KEY: 'server-key',
  AWS_SESSION_TOKEN: 'server-key',
  AWS_BEARER_TOKEN_BEDROCK: 'server-key',
  AWS_ENDPOINT_URL: TRAP,
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: TRAP,
  FRIENDLI_TOKEN: 'server-key',
  HTTP_PROXY: TRAP,
  HTTPS_PROXY: TRAP,
  http_proxy: TRAP,
  https_proxy: TRAP,
  AI_GATEWAY_API_KEY: 'server-key',
}
const kept = { ...process.env }
before(() => void Object.assign(process.env, HOSTILE))
after(() => {
  process.env = kept
  return models.close()
})

const models = createModels({ effects: handClock() })
const KINDS = Object.keys(SPEAKERS) as ProviderConfig['kind'][]

function orderFor(user: string, config: ProviderOption, more: Partial<ModelOrder> = {}): ModelOrder {
  return {
    user: { namespace: 'default', id: user },
    provider: 'p',
    config,
    modelId: 'm-1',
    settings: { region: null, deployment: null, baseURL: null },
    credentials: null,
    operatorKeyAllowed: true,
    ...more,
  }
}

function configOf(
  kind: ProviderConfig['kind'],
  upstream: Upstream | undefined,
  more: Partial<ProviderConfig> = {},
): ProviderConfig {
  const place = upstream === undefined ? {} : { baseURL: `${upstream.url}/base` }
  return { kind, ...place, ...(kind === 'amazon-bedrock' ? { region: 'eu-central-1' } : {}), ...more }
}

const call = () => ({ signal: new AbortController().signal, firstChunkTimeoutMs: 1000, idleTimeoutMs: 1000 })
const messages = [{ role: 'user', content: 'Hi' }]

async function ask(chat: ChatModel, stream: boolean): Promise<ChatCompletion> {
  const answer = await chat.chat({ messages, stream }, call())
  if (answer.kind === 'completion') return JSON.parse(answer.text) as ChatCompletion
  const texts = await Array.fromAsync(answer.chunks)
  return completionOf(texts.map((text) => JSON.parse(text)))
}

/** The key as each provider wants it, wherever it stands. */
function keyIn({ headers }: Seen): string {
  const authorization = String(headers.authorization ?? '')
  const signed = /Credential=([^/]+)/.exec(authorization)?.[1]
  const plain = authorization.replace(/^Bearer /, '')
  return signed ?? String(headers['x-api-key'] ?? headers['x-goog-api-key'] ?? headers['api-key'] ?? plain)
}

for (const kind of KINDS) {
  test(`${kind}: every user's call carries their own key, whole and streamed, whatever the environment holds`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    const config = configOf(kind, upstream, { apiKey: 'operator-key' })
    const users = Array.from({ length: rounds(200, 12) }, (_, index) => `user-${index}`)
    await Promise.all(
      users.map(async (user, index) => {
        const credentials = index % 3 === 0 ? null : { apiKey: `key-of-${user}` }
        const { chat } = models.build(orderFor(user, config, { credentials, modelId: `m-${user}` }))
        const told = await ask(chat, index % 2 === 0)
        assert.equal(told.choices[0]?.message.content, 'hello')
        assert.equal(told.choices[0]?.finish_reason, 'stop')
        assert.deepEqual([told.usage?.prompt_tokens, told.usage?.completion_tokens], [3, 2])
      }),
    )
    assert.equal(upstream.seen.length, users.length)
    for (const seen of upstream.seen) {
      const user = /m-(user-\d+)/.exec(`${seen.path} ${seen.body}`)?.[1] ?? ''
      const expected = Number(user.slice(5)) % 3 === 0 ? 'operator-key' : `key-of-${user}`
      assert.equal(keyIn(seen), expected)
      assert.doesNotMatch(JSON.stringify(seen), /server-/)
    }
  })

  test(`${kind}: without a key of the user or the operator nothing is sent, though the environment has one`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    for (const credentials of [null, { apiKey: '' }, { apiKey: ' ' }, { other: 'field' }]) {
      // Servers of one's own may do without a key, unless the user has set one that is not there.
      if (kind === 'openai-compatible' && credentials === null) continue
      assert.throws(
        () => models.build(orderFor('u', configOf(kind, upstream), { credentials })),
        (error: unknown) => PurserError.is(error, 'secret_missing'),
      )
    }
    assert.equal(upstream.seen.length, 0)
  })

  test(`${kind}: the operator's key and headers do not go to an address that the user set`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    const config = configOf(kind, undefined, {
      apiKey: 'operator-key',
      headers: { 'x-operator': 'secret' },
      baseURL: 'http://127.0.0.1:9/operator',
      allowedHosts: [new URL(upstream.url).host],
    })
    const settings = { region: null, deployment: null, baseURL: `${upstream.url}/mine` }
    const order = orderFor('u', config, { settings, operatorKeyAllowed: false })
    assert.throws(
      () => models.build(order),
      (error: unknown) => PurserError.is(error, 'secret_missing'),
    )
    const own = models.build({ ...order, credentials: { apiKey: 'own-key' } })
    await ask(own.chat, false)
    assert.equal(upstream.seen.length, 1)
    const [seen] = upstream.seen
    assert.match(seen?.path ?? '', /^\/mine/)
    assert.equal(seen === undefined ? '' : keyIn(seen), 'own-key')
    assert.doesNotMatch(JSON.stringify(seen), /operator|server-/)
  })

  test(`${kind}: an upstream's refusals, failures and limits are told as every other's`, async () => {
    await using upstream = await openUpstream()
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    const cases = {
      400: 'upstream_rejected',
      401: 'upstream_auth',
      429: 'upstream_rate_limited',
      500: 'upstream_failed',
    }
    for (const [status, code] of Object.entries(cases)) {
      const error = { message: 'No.', type: 't', code: 'c', status: 'S' }
      upstream.script = (response) =>
        sendJson(response, Number(status), { error, message: 'No.', type: 'error' }, { 'retry-after': '3' })
      for (const stream of [true, false]) {
        await assert.rejects(ask(chat, stream), (thrown: unknown) => {
          assert.ok(PurserError.is(thrown), String(thrown))
          assert.equal(thrown.code, code)
          if (status === '429') assert.equal(thrown.details?.retryAfterMs, 3000)
          return true
        })
      }
    }
    assert.equal(upstream.seen.length, 8, 'no call is made twice')
  })

  test(`${kind}: lease.model, the AI SDK's face, carries the same key`, async () => {
    await using upstream = await openUpstream(SPEAKERS[kind]?.('hello'))
    const config = configOf(kind, upstream, { apiKey: 'operator-key' })
    const { model } = models.build(orderFor('u', config, { credentials: { apiKey: 'own-key' } }))
    assert.equal(model.specificationVersion, 'v4')
    const result = await model.doGenerate({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] })
    assert.deepEqual(
      result.content.filter((part) => part.type === 'text').map((part) => part.text),
      ['hello'],
    )
    assert.equal(keyIn(upstream.seen[0] as Seen), 'own-key')
  })
}

test("Bedrock signs with a user's own keys and region, though the environment holds a bearer token and another region", async () => {
  await using upstream = await openUpstream(SPEAKERS['amazon-bedrock']?.('hello'))
  const users = ['eu-west-1', 'us-east-1', 'ap-south-1']
  for (const region of users) {
    const credentials = { accessKeyId: `AKIA-${region}`, secretAccessKey: 'own', sessionToken: `session-${region}` }
    const settings = { region, deployment: null, baseURL: null }
    const { chat } = models.build(orderFor('u', configOf('amazon-bedrock', upstream), { credentials, settings }))
    await ask(chat, true)
  }
  for (const [index, seen] of upstream.seen.entries()) {
    const region = users[index]
    assert.match(String(seen.headers.authorization), new RegExp(`Credential=AKIA-${region}/\\d+/${region}/bedrock/`))
    assert.equal(seen.headers['x-amz-security-token'], `session-${region}`)
    assert.match(seen.path, /^\/base\/model\/m-1\/converse-stream$/)
  }
  const half = { accessKeyId: 'AKIA' }
  assert.throws(
    () => models.build(orderFor('u', configOf('amazon-bedrock', upstream), { credentials: half })),
    (error: unknown) => PurserError.is(error, 'secret_missing') && error.details?.field === 'secretAccessKey',
  )
})

for (const kind of KINDS) {
  test(`${kind}: a redirect is not followed, so no key goes where it points`, async () => {
    await using elsewhere = await openUpstream(SPEAKERS[kind]?.('hello'))
    await using upstream = await openUpstream((response) => {
      response.writeHead(307, { location: `${elsewhere.url}/base` }).end()
    })
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    for (const stream of [true, false]) {
      await assert.rejects(ask(chat, stream), (error: unknown) => PurserError.is(error, 'upstream_failed'))
    }
    assert.equal(elsewhere.seen.length, 0)
    assert.equal(upstream.seen.length, 2)
  })

  test(`${kind}: what is no answer is upstream_failed: other text, nothing, a cut body, a cut stream`, async () => {
    await using upstream = await openUpstream()
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    const scripts: Script[] = [
      (response) => sendJson(response, 200, '<html>'),
      (response) => sendJson(response, 200, ''),
      (response) => sendJson(response, 200, '{"choices":'),
      (response) => void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
      (response) => {
        sendEvents(response, ['{"choices":['])
        response.end()
      },
    ]
    for (const script of scripts) {
      upstream.script = script
      for (const stream of [true, false]) {
        await assert.rejects(ask(chat, stream), (error: unknown) => {
          assert.ok(PurserError.is(error), String(error))
          assert.equal(error.code, 'upstream_failed')
          return true
        })
      }
    }
  })

  test(`${kind}: an abort and a reader that leaves close the socket`, async () => {
    await using upstream = await openUpstream()
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    for (const stream of [true, false]) {
      const { promise, resolve } = Promise.withResolvers<ServerResponse>()
      upstream.script = (response) => resolve(response)
      const abort = new AbortController()
      const reason = new Error('gone')
      const answer = chat.chat({ messages, stream }, { ...call(), signal: abort.signal })
      const closed = once(await promise, 'close')
      abort.abort(reason)
      await assert.rejects(answer, reason)
      await closed
    }
  })
}

test('a limit of tokens goes to OpenAI under its newer name, and to other servers as it was given', async () => {
  await using upstream = await openUpstream()
  for (const kind of ['openai', 'openai-compatible'] as const) {
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'k' })))
    await chat.chat({ messages, max_tokens: 5 }, call())
  }
  const [openai, other] = upstream.seen.map(({ body }) => JSON.parse(body))
  assert.deepEqual([openai.max_completion_tokens, openai.max_tokens], [5, undefined])
  assert.deepEqual([other.max_completion_tokens, other.max_tokens], [undefined, 5])
})

test("a provider's own options become fields of the request, but never the user, the model or the messages", async () => {
  await using upstream = await openUpstream()
  const { chat } = models.build(orderFor('u', configOf('openai-compatible', upstream)))
  const providerOptions = { p: { top_logprobs: 2, seed: 1, user: 'bob', model: 'x' }, other: { a: 1 } }
  await chat.chat({ messages, seed: 7, providerOptions }, call())
  assert.deepEqual(JSON.parse(upstream.seen[0]?.body ?? ''), { messages, seed: 7, top_logprobs: 2, model: 'm-1' })
})

test('a server that refuses stream options is spared them on request', async () => {
  await using upstream = await openUpstream()
  const { chat } = models.build(orderFor('u', configOf('openai-compatible', upstream, { includeUsage: false })))
  await ask(chat, true)
  assert.equal(JSON.parse(upstream.seen[0]?.body ?? '').stream_options, undefined)
})

test('Azure calls the deployment of the user under the resource of their key', async () => {
  await using upstream = await openUpstream()
  const config = configOf('azure', upstream, { useDeploymentBasedUrls: true, apiVersion: '2025-04-01' })
  const settings = { region: null, deployment: 'dep-a', baseURL: null }
  await ask(models.build(orderFor('u', config, { settings, credentials: { apiKey: 'k' } })).chat, false)
  assert.equal(upstream.seen[0]?.path, '/base/deployments/dep-a/chat/completions?api-version=2025-04-01')
  assert.equal(upstream.seen[0]?.headers['api-key'], 'k')
})

test('Friendli calls the endpoint of the user under their team', async () => {
  await using upstream = await openUpstream()
  const settings = { region: null, deployment: 'endpoint-1', baseURL: null }
  const config = configOf('friendli', upstream, { teamId: 'operator-team' })
  const own = { apiKey: 'k', teamId: 'own-team' }
  await ask(models.build(orderFor('u', config, { settings, credentials: own })).chat, false)
  await ask(models.build(orderFor('u', config, { settings, credentials: { apiKey: 'k' } })).chat, false)
  assert.equal(JSON.parse(upstream.seen[0]?.body ?? '').model, 'endpoint-1')
  assert.equal(upstream.seen[0]?.headers['x-friendli-team'], 'own-team')
  assert.equal(
    upstream.seen[1]?.headers['x-friendli-team'],
    undefined,
    "the operator's team is not mixed with a user's key",
  )
})

test('without a base URL each kind goes to its own host, which region, resource and nothing else decide', async () => {
  const asked: string[] = []
  const resolve: LookupFunction = (hostname, _, done) => {
    asked.push(hostname)
    done(Object.assign(new Error('no network'), { code: 'ENOTFOUND' }), [])
  }
  const elsewhere = createModels({ effects: handClock(), resolve })
  const at = (region: string | null, deployment: string | null = null) => ({
    settings: { region, deployment, baseURL: null },
  })
  const cases: [Partial<ProviderConfig> & { kind: ProviderConfig['kind'] }, Partial<ModelOrder>, string][] = [
    [{ kind: 'openai' }, {}, 'api.openai.com'],
    [{ kind: 'anthropic' }, {}, 'api.anthropic.com'],
    [{ kind: 'google' }, {}, 'generativelanguage.googleapis.com'],
    [{ kind: 'friendli' }, {}, 'api.friendli.ai'],
    [{ kind: 'amazon-bedrock' }, at('eu-west-3'), 'bedrock-runtime.eu-west-3.amazonaws.com'],
    [{ kind: 'amazon-bedrock', region: 'us-east-2' }, {}, 'bedrock-runtime.us-east-2.amazonaws.com'],
    [{ kind: 'amazon-bedrock' }, at('cn-north-1'), 'bedrock-runtime.cn-north-1.amazonaws.com.cn'],
    [{ kind: 'azure', resourceName: 'res-a' }, {}, 'res-a.openai.azure.com'],
    [
      { kind: 'azure', resourceName: 'res-a' },
      { credentials: { apiKey: 'k', resourceName: 'res-b' } },
      'res-b.openai.azure.com',
    ],
  ]
  for (const [config, more, host] of cases) {
    const { chat } = elsewhere.build(orderFor('u', config, { credentials: { apiKey: 'k' }, ...more }))
    await assert.rejects(ask(chat, false), (error: unknown) => PurserError.is(error, 'upstream_failed'))
    assert.equal(asked.pop(), host)
  }
  await elsewhere.close()
})

test('a region or resource that would name another host is refused', () => {
  const settings = (region: string) => ({
    settings: { region, deployment: null, baseURL: null },
    credentials: { apiKey: 'k' },
  })
  for (const region of ['evil.com/', 'us-east-1.evil.com', 'x@evil', 'us_east', '']) {
    assert.throws(
      () => models.build(orderFor('u', { kind: 'amazon-bedrock' }, settings(region))),
      (error: unknown) => PurserError.is(error, 'settings_invalid'),
    )
  }
  const credentials = { apiKey: 'k', resourceName: 'user@internal:8080/#' }
  assert.throws(
    () => models.build(orderFor('u', { kind: 'azure' }, { credentials })),
    (error: unknown) => PurserError.is(error, 'settings_invalid'),
  )
  assert.throws(
    () => models.build(orderFor('u', { kind: 'azure' }, { credentials: { apiKey: 'k' } })),
    (error: unknown) => PurserError.is(error, 'settings_invalid'),
    'a resource name of the environment is not taken',
  )
})

test("a provider function gets the user's credentials, and cannot read what nobody gave", async () => {
  await using upstream = await openUpstream(answerWith('hello'))
  const given: unknown[] = []
  const make = (credentials: Readonly<Record<string, string>>) => {
    given.push({ ...credentials })
    const key = credentials.apiKey as string
    return {
      languageModel: (modelId: string) =>
        models.build(orderFor('u', configOf('openai-compatible', upstream), { modelId, credentials: { apiKey: key } }))
          .model,
    }
  }
  const { chat } = models.build(orderFor('u', make, { credentials: { apiKey: 'own' } }))
  assert.equal((await ask(chat, true)).choices[0]?.message.content, 'hello')
  assert.deepEqual(given, [{ apiKey: 'own' }])
  assert.throws(
    () => models.build(orderFor('u', make)),
    (error: unknown) => PurserError.is(error, 'secret_missing'),
  )
  const withoutKey = () => ({ languageModel: () => models.build(orderFor('u', { kind: 'demo' })).model })
  assert.ok((await ask(models.build(orderFor('u', withoutKey)).chat, false)).choices.length)
})

test("a provider function that gives a model's name or an older model is refused, so no gateway of the SDK is paid", () => {
  const wrong: unknown[] = ['openai/gpt-5', null, { specificationVersion: 'v2' }]
  for (const model of wrong) {
    assert.throws(
      () => models.build(orderFor('u', () => ({ languageModel: () => model }))),
      (error: unknown) => PurserError.is(error, 'option_invalid'),
    )
  }
})

test('the demo kind answers from the messages alone, the same words each time', async () => {
  const { chat } = models.build(orderFor('u', { kind: 'demo' }))
  const request = { messages: [{ role: 'system', content: 'user_name: Ann' }, ...messages] }
  const whole = await chat.chat(request, call())
  const streamed = await chat.chat({ ...request, stream: true }, call())
  if (whole.kind !== 'completion' || streamed.kind !== 'stream') assert.fail()
  const texts = await Array.fromAsync(streamed.chunks)
  const told = completionOf(texts.map((text) => JSON.parse(text)))
  const expected = JSON.parse(whole.text) as ChatCompletion
  assert.equal(told.choices[0]?.message.content, expected.choices[0]?.message.content)
  assert.match(expected.choices[0]?.message.content ?? '', /Hi[\s\S]*Ann/)
  assert.deepEqual(told.usage, expected.usage)
  assert.ok(texts.length > 5)
})
