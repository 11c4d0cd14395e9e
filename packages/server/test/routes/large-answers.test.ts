import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { isFullRun, printSeed, seed } from '../../../purser/test/support/fuzz-options.ts'
import { type Child, startLargeUpstream } from '../support/processes.ts'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

/*
 * Answers of 16 MB on every endpoint, relayed and translated, whole and streamed: how long does one of them hold up all
 * others? Processor time of this thread is measured, which other load of the machine does not change. The goal is
 * printed; what is asserted is generous, because a slow machine must not fail.
 */

const GOAL_MS = 100
const TOLERANCE = 5
/** Bytes of an answer that arrived whole. */
const ANSWER_MIN_BYTES = 7_900_000
/** How many rows `npm test` tries, chosen at random. */
const SHARE = 6

printSeed('large answers')

let harness: ServerHarness
let upstream: Child<{ url: string }>
let url: string
let key: string

before(async () => {
  upstream = await startLargeUpstream()
  const connection = { baseURL: `${upstream.addresses.url}/v1`, apiKey: 'operator-key' }
  const models = ['text', 'quotes', 'call', 'numbers']
  const names = ['chat', 'openai', 'claude'].flatMap((provider) => models.map((model) => `${provider}/${model}`))
  harness = await openServerHarness({
    realTime: true,
    config: {
      providers: {
        chat: { kind: 'openai-compatible', ...connection, models },
        openai: { kind: 'openai', ...connection, models },
        claude: { kind: 'anthropic', ...connection, models },
      },
      runtime: { defaults: { provider: 'chat', model: 'text', allowedModels: names } },
      ledger: { limits: [{ name: 'tokens', measure: 'tokens', max: 1e12, window: 'day' }] },
      answers: { enabled: true },
    },
  })
  key = await harness.createKey('user')
  url = await harness.fastify.listen({ port: 0, host: '127.0.0.1' })
})
after(async () => {
  await harness[Symbol.asyncDispose]()
  await upstream.stop()
})

interface Attempt {
  readonly path: string
  readonly model: string
  readonly stream: boolean
  readonly headers: Readonly<Record<string, string>>
}

const MESSAGES = { max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] }
const BODIES: Readonly<Record<string, object>> = {
  'chat/completions': MESSAGES,
  responses: { input: 'Hi' },
  messages: MESSAGES,
  embeddings: { input: 'Hi' },
}

function listAttempts(): Attempt[] {
  const contents = ['text', 'quotes', 'call']
  const of = (path: string, provider: string, streams: readonly boolean[]): Attempt[] =>
    contents.flatMap((content) =>
      streams.map((stream) => ({ path, model: `${provider}/${content}`, stream, headers: {} })),
    )
  return [
    ...of('chat/completions', 'chat', [false, true]),
    ...of('responses', 'chat', [false, true]),
    ...of('messages', 'chat', [false, true]),
    ...of('responses', 'openai', [false, true]),
    ...of('messages', 'claude', [false]),
    { path: 'embeddings', model: 'chat/numbers', stream: false, headers: {} },
    { path: 'chat/completions', model: 'chat/text', stream: false, headers: { 'idempotency-key': 'large' } },
  ]
}

function share(attempts: readonly Attempt[]): readonly Attempt[] {
  if (isFullRun) return attempts
  const sizes = { minLength: SHARE, maxLength: SHARE }
  return fc.sample(fc.shuffledSubarray([...attempts], sizes), { seed, numRuns: 1 })[0] ?? []
}

/** The longest time for which this thread had something to do without a turn of the event loop. */
async function measureStall(run: () => Promise<void>): Promise<number> {
  let stallMs = 0
  let isRunning = true
  let start = process.threadCpuUsage()
  const tick = (): void => {
    const { user, system } = process.threadCpuUsage(start)
    stallMs = Math.max(stallMs, (user + system) / 1_000)
    start = process.threadCpuUsage()
    if (isRunning) setImmediate(tick)
  }
  setImmediate(tick)
  try {
    await run()
  } finally {
    isRunning = false
  }
  return stallMs
}

test('no answer holds up the event loop: every endpoint, relayed and translated', { timeout: 3_600_000 }, async () => {
  const rows: { readonly name: string; readonly stallMs: number }[] = []
  for (const { path, model, stream, headers } of share(listAttempts())) {
    const name = `${path} of ${model}${stream ? ', streamed' : ''}${Object.keys(headers).join()}`
    const stallMs = await measureStall(async () => {
      const response = await fetch(`${url}/v1/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ model, stream, ...BODIES[path] }),
      })
      if (response.status !== 200) assert.fail(`${name}: ${await response.text()}`)
      let bytes = 0
      for await (const piece of response.body ?? []) bytes += piece.length
      assert.ok(bytes > ANSWER_MIN_BYTES, `${name}: ${bytes} bytes`)
    })
    rows.push({ name, stallMs })
    assert.ok(stallMs < GOAL_MS * TOLERANCE, `${name}: ${stallMs} ms`)
  }
  process.stdout.write(`the slowest of ${rows.length} answers of 16 MB: goal ${GOAL_MS} ms\n`)
  for (const { name, stallMs } of rows.toSorted((a, b) => b.stallMs - a.stallMs)) {
    process.stdout.write(`  ${stallMs.toFixed(1).padStart(6)} ms  ${name}\n`)
  }
})
