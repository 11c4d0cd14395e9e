import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Method, openServerHarness, type ServerHarness } from '../support/server-harness.ts'

/*
 * Every route of the API document with every hostile body: how long does one request hold up all others, and how much
 * memory does it take? Processor time of this thread is measured, which other load of the machine does not change. The
 * goals are printed; what is asserted is generous, because a slow machine must not fail.
 */

const MB = 1_000_000
const GOALS = {
  'with a key': { stallMs: 100, bytesOf: (bodyBytes: number) => 16 * MB + 3 * bodyBytes },
  'without a key': { stallMs: 20, bytesOf: () => MB },
} as const
/** `npm test` tries the routes of the callers that are trusted least; `npm run test:full` tries all. */
const SHARE = ['public', 'chat', 'authenticated']
const isFullRun = process.env.PURSER_TEST_FULL === '1'
/** Factors between the goals and what is asserted. Memory does not depend on the speed of the machine. */
const TOLERANCE = { stall: 10, memory: 2 }

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
  '90,000 fields and a long number': `{${MESSAGES},"seed":12345678901234567890,"x":{${many(90_000, (index) => `"g${index}":1`)}}}`,
  '90,000 long numbers': `{${MESSAGES},"x":[${many(90_000, () => '12345678901234567890')}]}`,
  '90,000 escaped names': `{${MESSAGES},"x":{${many(90_000, (index) => `"\\u0041${index}":1`)}}}`,
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

interface Measured {
  /** The longest time for which this thread had something to do without a turn of the event loop. */
  readonly stallMs: number
  /** The most memory in use between two turns of the event loop; above the goal without garbage. */
  readonly bytes: number
  readonly status: number
}

interface Row extends Measured {
  readonly kind: keyof typeof GOALS
  readonly name: string
  readonly bodyBytes: number
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function measure(goalBytes: number, run: () => Promise<{ statusCode: number }>): Promise<Measured> {
  collectGarbage()
  const bytesBefore = usedBytes()
  let stallMs = 0
  let bytes = 0
  let isRunning = true
  let start = process.threadCpuUsage()
  const tick = (): void => {
    const { user, system } = process.threadCpuUsage(start)
    stallMs = Math.max(stallMs, (user + system) / 1_000)
    if (usedBytes() - bytesBefore > goalBytes) collectGarbage()
    bytes = Math.max(bytes, usedBytes() - bytesBefore)
    start = process.threadCpuUsage()
    if (isRunning) setImmediate(tick)
  }
  setImmediate(tick)
  const { statusCode: status } = await run()
  await new Promise(setImmediate)
  isRunning = false
  return { stallMs, bytes, status }
}

/** The event loop waits for the kernel between two pieces, as it does for a socket. */
async function* inPieces(bytes: Buffer): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) {
    await new Promise(setImmediate)
    yield bytes.subarray(at, at + 65_536)
  }
}

interface Attempt {
  readonly method: Method
  readonly path: string
  readonly key: string | undefined
}

/** Every route that has a body, with a key that may use it and without one. */
async function listAttempts(): Promise<Attempt[]> {
  return (await listRoutes()).flatMap(({ method, path, scope }) => {
    const isTried = method !== 'GET' && !path.endsWith('/erase') && (isFullRun || SHARE.includes(scope))
    if (!isTried) return []
    const anonymous = { method, path, key: undefined }
    return scope === 'public' ? [anonymous] : [anonymous, { method, path, key: keyFor(scope) }]
  })
}

function keyFor(scope: string): string {
  return scope === 'chat' ? keys.user : harness.key
}

async function tryBody({ method, path, key }: Attempt, [name, body]: readonly [string, string]): Promise<Row> {
  const bytes = Buffer.from(body)
  const kind = key === undefined ? 'without a key' : 'with a key'
  const headers = {
    'content-length': String(bytes.length),
    'content-type': 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}`, 'idempotency-key': name }),
  }
  const measured = await measure(GOALS[kind].bytesOf(bytes.length), () =>
    harness.fastify.inject({ method, url: path, headers, payload: Readable.from(inPieces(bytes)) }),
  )
  return { kind, name: `${method} ${path}: ${name}`, bodyBytes: bytes.length, ...measured }
}

test('no request holds up the event loop or takes much memory: every route, every hostile body', {
  timeout: 600_000,
}, async () => {
  const rows: Row[] = []
  for (const attempt of await listAttempts()) {
    for (const body of Object.entries(BODIES)) rows.push(await tryBody(attempt, body))
  }
  for (const kind of ['without a key', 'with a key'] as const) {
    const ofKind = rows.filter((row) => row.kind === kind)
    assert.ok(ofKind.length > 0, kind)
    printWorst(`${kind}, the slowest of ${ofKind.length}: goal ${GOALS[kind].stallMs} ms`, ofKind, stallPart)
    printWorst(`${kind}, the largest of ${ofKind.length}: goal ${GOALS[kind].bytesOf(0) / MB} MB`, ofKind, memoryPart)
    for (const row of ofKind) {
      assert.ok(row.status < 500, JSON.stringify(row))
      assert.ok(stallPart(row) < TOLERANCE.stall, JSON.stringify(row))
      assert.ok(memoryPart(row) < TOLERANCE.memory, JSON.stringify(row))
    }
  }
})

/** How much of its goal a request used. */
function stallPart({ kind, stallMs }: Row): number {
  return stallMs / GOALS[kind].stallMs
}

function memoryPart({ kind, bytes, bodyBytes }: Row): number {
  return bytes / GOALS[kind].bytesOf(bodyBytes)
}

function printWorst(title: string, rows: readonly Row[], partOf: (row: Row) => number): void {
  process.stdout.write(`${title}\n`)
  for (const row of rows.toSorted((a, b) => partOf(b) - partOf(a)).slice(0, 8)) {
    const [ms, mb, bodyMb] = [row.stallMs, row.bytes / MB, row.bodyBytes / MB].map((value) =>
      value.toFixed(1).padStart(6),
    )
    process.stdout.write(
      `  ${ms} ms  ${mb} MB of ${bodyMb} MB  ${(100 * partOf(row)).toFixed(0)} %  ${row.status}  ${row.name}\n`,
    )
  }
}
