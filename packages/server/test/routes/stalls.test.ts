import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { type Method, openServerHarness, type ServerHarness } from '../support/server-harness.ts'

/*
 * Every route of the API document with every hostile body: how long does one request hold up all others, and how much
 * memory does it take? Processor time of this thread is measured, which other load of the machine does not change. The
 * goals are printed; what is asserted is generous, because a slow machine must not fail.
 */

const GOAL = { user: { stallMs: 100 }, public: { stallMs: 20 } } as const
/** `npm test` tries the routes of the callers that are trusted least; `npm run test:full` tries all. */
const SHARE = ['public', 'chat', 'authenticated']
const isFullRun = process.env.PURSER_TEST_FULL === '1'
/** Factor between the goal and what is asserted. */
const TOLERANCE = 10

let harness: ServerHarness
let keys: Record<'user' | 'service', string>

before(async () => {
  harness = await openServerHarness({
    config: {
      providers: { demo: { kind: 'demo', models: ['demo'] } },
      runtime: { defaults: { provider: 'demo', model: 'demo' } },
      answers: { enabled: true },
    },
  })
  keys = { user: await harness.createKey('user'), service: await harness.createKey('service') }
})
after(() => harness[Symbol.asyncDispose]())

const MESSAGES = '"messages":[{"role":"user","content":"hi"}]'
const many = (count: number, create: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => create(index)).join(',')
const long = 'z'.repeat(5_000_000)

/** Bodies that are cheap to send and were expensive to read. */
const BODIES: Readonly<Record<string, string>> = {
  'a million fields': `{${MESSAGES},${many(1_000_000, (index) => `"f${index}":1`)}}`,
  'a million values': `[${many(1_000_000, () => '1')}]`,
  'a million levels': '['.repeat(1_000_000),
  'a million levels, closed': `{${MESSAGES},"x":${'['.repeat(500_000)}${']'.repeat(500_000)}}`,
  '90,000 fields of a field': `{${MESSAGES},"x":{${many(90_000, (index) => `"f${index}":1`)}}}`,
  '90,000 messages': `{"messages":[${many(30_000, () => '{"role":"user","content":"x"}')}]}`,
  '90,000 parts': `{"messages":[{"role":"user","content":[${many(30_000, () => '{"type":"text","text":"x"}')}]}]}`,
  '90,000 fields of metadata': `{${MESSAGES},"metadata":{${many(90_000, (index) => `"f${index}":"1"`)}}}`,
  '90,000 parameters': `{"parameters":{${many(90_000, (index) => `"f${index}":1`)}}}`,
  '90,000 peaks': `{"peaks":{${many(90_000, (index) => `"f${index}":1`)}}}`,
  'a name of 5 MB': `{${MESSAGES},"${long}":1}`,
  'a model of 5 MB': `{${MESSAGES},"model":"${long}"}`,
  'a message of 15 MB': `{"messages":[{"role":"user","content":"${long}${long}${long}"}]}`,
  'quotes of 10 MB': `{"messages":[{"role":"user","content":"${'\\"'.repeat(5_000_000)}"}]}`,
  'text of 5 MB': `{"text":"${long}","reason":"r","timeZone":"${long}","action":"${long}","phase":"${long}"}`,
}

interface Operation {
  readonly security?: readonly unknown[]
  readonly description?: string
}

async function listRoutes(): Promise<{ method: Method; path: string; scope: string }[]> {
  const document = (await harness.call('GET', '/openapi.json')).json() as {
    paths: Record<string, Record<string, Operation>>
  }
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { description = '' }]) => ({
      method: method.toUpperCase() as Method,
      path: path.replace(/\{(\w+)\}/g, (_, name) => (name === 'id' ? 'ada' : name)),
      scope: description.slice('Scope: '.length, -1),
    })),
  )
}

interface Row {
  readonly name: string
  readonly stallMs: number
  readonly status: number
}

/** The longest time for which this thread had something to do without a turn of the event loop. */
async function measureStall(run: () => Promise<{ statusCode: number }>): Promise<{ stallMs: number; status: number }> {
  let longest = 0
  let isRunning = true
  let start = process.threadCpuUsage()
  const tick = (): void => {
    const { user, system } = process.threadCpuUsage(start)
    longest = Math.max(longest, (user + system) / 1_000)
    start = process.threadCpuUsage()
    if (isRunning) setImmediate(tick)
  }
  setImmediate(tick)
  const { statusCode: status } = await run()
  await new Promise(setImmediate)
  isRunning = false
  return { stallMs: longest, status }
}

/** The event loop waits for the kernel between two pieces, as it does for a socket. */
async function* inPieces(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) {
    await new Promise(setImmediate)
    yield bytes.subarray(at, at + 65_536)
  }
}

test('no request holds up the event loop: every route, every hostile body', { timeout: 600_000 }, async () => {
  const rows: Row[] = []
  for (const { method, path, scope } of await listRoutes()) {
    if (path.endsWith('/erase') || !(isFullRun || SHARE.includes(scope))) continue
    const key = scope === 'chat' ? keys.user : scope === 'public' ? undefined : harness.key
    for (const [name, body] of method === 'GET' ? [] : Object.entries(BODIES)) {
      const bytes = Buffer.from(body)
      const headers = {
        'content-length': String(bytes.length),
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      }
      const measured = await measureStall(() =>
        harness.fastify.inject({ method, url: path, headers, payload: Readable.from(inPieces(bytes)) }),
      )
      assert.ok(measured.status < 500, `${method} ${path} ${name}: ${measured.status}`)
      rows.push({ name: `${scope === 'public' ? 'public' : 'user'} ${method} ${path}: ${name}`, ...measured })
    }
  }
  rows.sort((a, b) => b.stallMs - a.stallMs)
  for (const kind of ['public', 'user'] as const) {
    const ofKind = rows.filter(({ name }) => name.startsWith(kind))
    assert.ok(ofKind.length > 0, kind)
    process.stdout.write(`${kind}: goal ${GOAL[kind].stallMs} ms, ${ofKind.length} requests, the slowest:\n`)
    for (const { name, stallMs, status } of ofKind.slice(0, 12))
      process.stdout.write(`  ${stallMs.toFixed(1).padStart(7)} ms  ${status}  ${name}\n`)
    assert.ok((ofKind[0]?.stallMs ?? 0) < GOAL[kind].stallMs * TOLERANCE, JSON.stringify(ofKind[0]))
  }
})
