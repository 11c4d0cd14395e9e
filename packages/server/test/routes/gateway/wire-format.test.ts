import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

interface Gateway extends AsyncDisposable {
  readonly harness: ServerHarness
  /** The bodies that the upstream received, as text. */
  readonly requests: string[]
  chat(body: string): Promise<{ status: number; text: string; cache: unknown }>
}

async function openGateway(answer: (response: ServerResponse) => void): Promise<Gateway> {
  const requests: string[] = []
  const upstream = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    requests.push(text)
    answer(response)
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const baseURL = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  const harness = await openServerHarness({
    realTime: true,
    role: 'service',
    config: {
      providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'k', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      ledger: { dailyCap: 100 },
      answers: { enabled: true },
    },
  })
  return {
    harness,
    requests,
    async chat(body) {
      const response = await harness.call('POST', '/v1/chat/completions', body, { 'x-purser-user': 'ada' })
      return { status: response.statusCode, text: response.body, cache: response.headers['x-purser-cache'] }
    },
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]()
      upstream.closeAllConnections()
      upstream.close()
    },
  }
}

const message = '"messages":[{"role":"user","content":"Hi"}]'
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const completion =
  '{"id":"c","object":"chat.completion","created":1,"model":"m","trace":98765432109876543210,' +
  '"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'

test('numbers beyond 2^53 in a request reach the upstream unchanged, and neighbors are different requests', async () => {
  await using gateway = await openGateway((response) => response.end(completion))
  const bodies = [
    (number: string) => `{${message},"seed":${number}}`,
    (number: string) => `{${message},"vendor_field":{"list":[${number}]}}`,
    (number: string) =>
      `{${message},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","maximum":${number}}}}]}`,
    (number: string) => `{${message},"metadata":{"n":${number}}}`,
  ]
  for (const body of bodies) {
    const numbers = ['9007199254740992', '9007199254740993', '-18446744073709551615', '1e400']
    for (const number of numbers) {
      const { status, cache, text } = await gateway.chat(body(number))
      assert.deepEqual([status, cache], [200, 'miss'], text)
      assert.ok(
        gateway.requests.at(-1)?.includes(`:${number}`) || gateway.requests.at(-1)?.includes(`[${number}]`),
        number,
      )
    }
    assert.equal((await gateway.chat(body('9007199254740993'))).cache, 'hit')
  }
})

test('numbers beyond 2^53 in an answer reach the client unchanged, in the form of the upstream and in the other', async () => {
  await using gateway = await openGateway((response) => response.end(completion))
  for (const stream of [false, true]) {
    const { text } = await gateway.chat(`{${message},"stream":${stream}}`)
    assert.match(text, /"trace":98765432109876543210/)
  }
})

test('a request field of another type than a number stays invalid', async () => {
  await using gateway = await openGateway((response) => response.end(completion))
  for (const field of [
    '"metadata":12345678901234567890',
    '"n":12345678901234567890',
    '"stream":12345678901234567890',
  ]) {
    assert.equal((await gateway.chat(`{${message},${field}}`)).status, 400, field)
  }
})

test('comments of the upstream reach the client of a stream and are stored nowhere', async () => {
  await using gateway = await openGateway(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const part of [
      chunk({ content: 'h' }),
      ': WORKING\n\n',
      'data:\n\n',
      chunk({ content: 'i' }),
      ': WORKING\n\n',
      chunk({}, 'stop'),
      'data: [DONE]\n\n',
    ]) {
      response.write(part)
      await new Promise(setImmediate)
    }
    response.end()
  })
  const first = await gateway.chat(`{${message},"stream":true}`)
  assert.match(first.text, /^: WORKING$/m)
  assert.equal(
    first.text.replaceAll(/^:.*\n\n/gm, ''),
    [chunk({ content: 'h' }), chunk({ content: 'i' }), chunk({}, 'stop'), 'data: [DONE]\n\n'].join(''),
  )
  const stored = await gateway.chat(`{${message},"stream":true}`)
  assert.equal(stored.cache, 'hit')
  assert.doesNotMatch(stored.text, /^:/m)
  const whole = await gateway.chat(`{${message}}`)
  assert.equal(JSON.parse(whole.text).choices[0].message.content, 'hi')
})

test('an error beside choices is not counted before the first chunk, and is never stored', async () => {
  const error = { message: 'Provider disconnected', code: 502 }
  const body = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }], error })}\n\ndata: [DONE]\n\n`
  await using gateway = await openGateway((response) => response.end(body))
  for (const stream of [true, false, true]) {
    const { status, text } = await gateway.chat(`{${message},"stream":${stream}}`)
    assert.deepEqual([status, JSON.parse(text).error.code], [502, 'upstream_failed'])
  }
  assert.equal(gateway.requests.length, 3)
  assert.equal((await gateway.harness.user('ada').ledger.quota()).count, 0)
})

test('of the usage of an answer, counts are settled and nonsense is left out', async () => {
  for (const rest of [
    '"completion_tokens":"many"',
    '"completion_tokens":-5',
    '"completion_tokens":1e308',
    '"completion_tokens":null',
  ]) {
    const usage = `"usage":{"prompt_tokens":1234567,${rest}}`
    await using gateway = await openGateway((response) => response.end(completion.replace('{', `{${usage},`)))
    assert.equal((await gateway.chat(`{${message}}`)).status, 200)
    const rows = await Array.fromAsync(gateway.harness.user('ada').export())
    assert.ok(
      rows.some((row) => row.type === 'counter' && JSON.stringify(row.value).includes('1234567')),
      rest,
    )
  }
})
