import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import OpenAI from 'openai'
import {
  createTempDirectory,
  type Purser,
  SERVICE_KEY,
  startPurser,
  startUpstream,
  type Upstream,
} from '../../support/processes.ts'

let upstream: Upstream
let purser: Purser
const directory = createTempDirectory()

const start = () =>
  startPurser(
    {
      providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      ledger: { dailyCap: 3 },
    },
    directory,
  )

before(async () => {
  upstream = await startUpstream('alpha')
  purser = await start()
})
beforeEach(() => upstream.reset())
after(async () => {
  await purser?.stop()
  await upstream?.stop()
})

const ask = (user: string, content: string, more: object = {}) =>
  purser.chat({ user, messages: [{ role: 'user', content }], ...more })

async function getStatusAndCode(response: Response): Promise<[number, string]> {
  return [response.status, ((await response.json()) as { error: { code: string } }).error.code]
}

async function getCount(user: string): Promise<number> {
  return ((await purser.api('GET', `/api/users/${encodeURIComponent(user)}/bond`)).body as { dailyCount: number })
    .dailyCount
}

test('BL-D03 with a cap of 3 the fourth request is refused without an upstream call, also after a restart', async () => {
  for (let number = 0; number < 3; number++) assert.equal((await ask('capped', 'hello')).status, 200)
  const expectRefusal = async () => {
    await upstream.reset()
    const refused = await ask('capped', 'hello')
    assert.equal(refused.status, 429)
    assert.equal(refused.headers.get('x-should-retry'), 'false')
    const seconds = Number(refused.headers.get('retry-after'))
    assert.ok(seconds > 0 && seconds <= 86_400)
    const { error } = (await refused.json()) as { error: { code: string; message: string } }
    assert.equal(error.code, 'insufficient_quota')
    assert.match(error.message, /resets at \d{4}-\d\d-\d\dT/)
    assert.deepEqual(await upstream.requests(), [])
  }
  await expectRefusal()
  await purser.stop()
  purser = await start()
  await expectRefusal()
  assert.equal(await getCount('capped'), 3)
})

test('24 concurrent requests do not exceed a cap of 3', async () => {
  const answers = await Promise.all(Array.from({ length: 24 }, () => ask('concurrent', 'hello')))
  assert.equal(answers.filter(({ status }) => status === 200).length, 3)
  assert.equal(answers.filter(({ status }) => status === 429).length, 21)
  assert.equal((await upstream.requests()).length, 3)
})

test('the openai client does not retry a refusal', async () => {
  await purser.api('PUT', '/api/users/once/cap', { cap: 1 })
  const client = new OpenAI({ baseURL: purser.baseURL, apiKey: SERVICE_KEY })
  const chat = () =>
    client.chat.completions.create({ model: 'auto', user: 'once', messages: [{ role: 'user', content: 'x' }] })
  await chat()
  await upstream.reset()
  await assert.rejects(chat(), (error: InstanceType<typeof OpenAI.APIError>) => error.code === 'insufficient_quota')
  assert.deepEqual(await upstream.requests(), [])
})

test('a blocked user is 403 user_blocked until unblocked', async () => {
  await purser.api('PUT', '/api/users/blocked/block', { reason: 'test' })
  assert.deepEqual(await getStatusAndCode(await ask('blocked', 'hello')), [403, 'user_blocked'])
  await purser.api('DELETE', '/api/users/blocked/block')
  assert.equal((await ask('blocked', 'hello')).status, 200)
})

test('an upstream failure before the first chunk is reported with its code and refunded', async () => {
  for (const [content, status, code] of [
    ['status 500', 502, 'upstream_failed'],
    ['status 401', 502, 'upstream_auth'],
    ['status 403', 502, 'upstream_auth'],
    ['status 429', 429, 'rate_limit_exceeded'],
    ['cut', 502, 'upstream_failed'],
  ] as const) {
    const answer = await ask('fails', content)
    if (code === 'rate_limit_exceeded') assert.equal(answer.headers.get('retry-after'), '7')
    assert.deepEqual(await getStatusAndCode(answer), [status, code], content)
    assert.ok(answer.headers.get('x-request-id'))
  }
  assert.equal(await getCount('fails'), 0)
})

test('an unreachable upstream is 502, one that hangs is 504, and both are refunded', async () => {
  const provider = { kind: 'openai-compatible' as const, apiKey: 'k', models: ['m'] }
  const failing = await startPurser({
    providers: {
      down: { ...provider, baseURL: 'http://127.0.0.1:9/v1' },
      local: { ...provider, baseURL: upstream.baseURL },
    },
    runtime: { defaults: { provider: 'down', model: 'm', allowedModels: ['down/m', 'local/m'] } },
    server: { firstChunkTimeoutMs: 300 },
  })
  for (const [model, status, code] of [
    ['down/m', 502, 'upstream_failed'],
    ['local/m', 504, 'upstream_timeout'],
  ] as const) {
    const answer = await failing.chat({ user: 'x', model, messages: [{ role: 'user', content: 'hang' }] })
    assert.deepEqual(await getStatusAndCode(answer), [status, code], model)
    assert.ok(answer.headers.get('x-request-id'))
  }
  assert.equal(((await failing.api('GET', '/api/users/x/bond')).body as { dailyCount: number }).dailyCount, 0)
  await failing.stop()
})

test('a stream that the upstream cuts ends with one error frame and no [DONE], and stays counted', async () => {
  const answer = await ask('cut', 'cut', { stream: true })
  assert.equal(answer.status, 200)
  const frames = (await answer.text()).split('\n\n').filter((frame) => frame !== '')
  const last = JSON.parse(String(frames.at(-1)).slice('data: '.length)) as {
    error: { code: string; requestId: string }
  }
  assert.equal(last.error.code, 'upstream_failed')
  assert.ok(!frames.includes('data: [DONE]'))
  assert.equal(last.error.requestId, answer.headers.get('x-request-id'))
  assert.equal(await getCount('cut'), 1)
})

for (const [when, content, stream] of [
  ['in the middle of a stream', 'slow', true],
  ['before the first chunk', 'hang', true],
  ['before a whole answer', 'hang', false],
] as const) {
  test(`a client that disconnects ${when} stops the upstream call, and the turn stays counted`, async () => {
    const user = `disconnects ${when}`
    const disconnect = new AbortController()
    const answer = fetch(`${purser.baseURL}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SERVICE_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user, stream, messages: [{ role: 'user', content }] }),
      signal: disconnect.signal,
    })
    if (content === 'slow') await (await answer).body?.getReader().read()
    else {
      answer.catch(() => undefined)
      while ((await upstream.requests()).length === 0);
    }
    disconnect.abort()
    while ((await upstream.requests()).at(-1)?.aborted !== true);
    assert.equal(await getCount(user), 1)
  })
}
