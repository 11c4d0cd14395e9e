import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTempDirectory, type Purser, startPurser, startUpstream, type Upstream } from '../../support/processes.ts'

let upstream: Upstream
let purser: Purser
const directory = createTempDirectory()
const USERS = ['u0', 'u1', 'u2', 'u3', 'u4']

const start = () =>
  startPurser(
    {
      providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m', 'n'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      answers: { enabled: true },
      server: { shutdownMs: 5_000 },
    },
    directory,
  )

before(async () => {
  upstream = await startUpstream('alpha')
  purser = await start()
})
after(async () => {
  await purser?.stop()
  await upstream?.stop()
})

interface Bond {
  readonly dailyCount: number
  readonly phase: string
  readonly version: number
  readonly dailyCap: number
}
const getBond = async (user: string) => (await purser.api('GET', `/api/users/${user}/bond`)).body as Bond

test('after kill -9 under load no acknowledged write is lost, and state and events agree', async () => {
  const answered = new Map(USERS.map((user) => [user, 0]))
  const detected = new Map(USERS.map((user) => [user, 0]))
  for (const user of USERS) {
    await purser.api('PATCH', `/api/users/${user}/runtime`, { model: 'n' })
    await purser.api('PUT', `/api/users/${user}/cap`, { cap: 10_000 })
  }
  await purser
    .chat({ user: 'u0', messages: [{ role: 'user', content: 'cache this answer' }] })
    .then((response) => response.text())

  let isRunning = true
  const load = USERS.map(async (user) => {
    for (let number = 0; isRunning; number++) {
      try {
        const answer = await purser.chat({ user, messages: [{ role: 'user', content: `${user} ${number}` }] })
        if (answer.status === 200) answered.set(user, (answered.get(user) ?? 0) + 1)
        await answer.text()
        const { status } = await purser.api('POST', `/api/users/${user}/detections`, { phase: `phase-${number}` })
        if (status === 200) detected.set(user, (detected.get(user) ?? 0) + 1)
      } catch {
        return
      }
    }
  })
  while ([...detected.values()].some((count) => count < 5)) await purser.api('GET', '/livez')
  await purser.stop('SIGKILL')
  isRunning = false
  await Promise.all(load)

  purser = await start()
  for (const user of USERS) {
    const bond = await getBond(user)
    const expected = (answered.get(user) ?? 0) + (user === 'u0' ? 1 : 0)
    // One request of each user was pending: it may have been counted, but was not acknowledged.
    assert.ok(
      bond.dailyCount === expected || bond.dailyCount === expected + 1,
      `${user}: ${bond.dailyCount} of ${expected}`,
    )
    assert.equal(bond.dailyCap, 10_000)
    assert.ok(Number(bond.phase.split('-')[1]) >= (detected.get(user) ?? 0) - 1)
    const verification = (await purser.api('GET', `/api/users/${user}/verify`)).body as { ok: boolean; checked: number }
    assert.deepEqual([verification.ok, verification.checked], [true, bond.version])
    const { data } = (await purser.api('GET', `/api/users/${user}/events?types=phase_transition&limit=1`)).body as {
      data: { data: { to: string } }[]
    }
    assert.equal(data[0]?.data.to, bond.phase)
    assert.equal(((await purser.api('GET', `/api/users/${user}/runtime`)).body as { model: string }).model, 'n')
  }
  await upstream.reset()
  const cached = await purser.chat({ user: 'u0', messages: [{ role: 'user', content: 'cache this answer' }] })
  assert.equal(cached.headers.get('x-purser-cache'), 'hit')
  assert.match(await cached.text(), /cache this answer/)
  assert.deepEqual(await upstream.requests(), [])
})

test('SIGTERM drains an open stream, accepts no new requests and exits with 0', async () => {
  const answer = await purser.chat({ user: 'u1', stream: true, messages: [{ role: 'user', content: 'slow drain' }] })
  const events = await fetch(`${purser.url}/livez`)
  assert.equal(events.status, 200)
  const ended = purser.stop('SIGTERM')
  while (await isReachable()) await upstream.requests()
  await upstream.release()
  const text = await answer.text()
  assert.match(text, /slow drain/)
  assert.ok(text.endsWith('data: [DONE]\n\n'))
  assert.equal(await ended, 0)
  purser = await start()
})

test('a stream that is still open after shutdownMs is cut, with a last frame that reports the error', async () => {
  await upstream.reset()
  const short = await startPurser({
    providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m'] } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    server: { shutdownMs: 200 },
  })
  const answer = await short.chat({ user: 'u1', stream: true, messages: [{ role: 'user', content: 'slow for ever' }] })
  const whole = short.chat({ user: 'u2', messages: [{ role: 'user', content: 'slow for ever' }] })
  while ((await upstream.requests()).length < 2);
  const reading = answer.text()
  assert.equal(await short.stop('SIGTERM'), 0)
  const frames = (await reading).split('\n\n').filter((frame) => frame !== '')
  const last = JSON.parse(String(frames.at(-1)).slice('data: '.length)) as { error: { code: string } }
  assert.equal(last.error.code, 'closed')
  assert.ok(!frames.includes('data: [DONE]'))
  const refused = await whole
  assert.deepEqual([refused.status, ((await refused.json()) as typeof last).error.code], [503, 'closed'])
})

/** Whether the server accepts new connections. */
async function isReachable(): Promise<boolean> {
  try {
    await (await fetch(`${purser.url}/readyz`, { headers: { connection: 'close' } })).text()
    return true
  } catch {
    return false
  }
}
