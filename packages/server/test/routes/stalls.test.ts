import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { ENDPOINTS } from 'purser/internal'
import { isFullRun, printSeed, seed } from '../../../purser/test/support/fuzz-options.ts'
import { STRUCTURES, TEXTS, wrapText, wrapTexts, wrapToolCall } from '../support/hostile-bodies.ts'
import { type Child, startSinkUpstream } from '../support/processes.ts'
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
/** Factors between the goals and what is asserted. Memory does not depend on the speed of the machine. */
const TOLERANCE = { stall: 10, memory: 1.25 }
/** How many rows of the table `npm test` tries, chosen at random; `npm run test:full` tries all. */
const SHARE = { structures: 40, texts: 5 }

printSeed('stalls')

let harness: ServerHarness
let upstream: Child<{ url: string }>
let keys: Record<'user' | 'service', string>

before(async () => {
  upstream = await startSinkUpstream()
  const baseURL = `${upstream.addresses.url}/v1`
  const endpoints = [...ENDPOINTS]
  harness = await openServerHarness({
    config: {
      providers: {
        demo: { kind: 'demo', models: ['demo'] },
        http: { kind: 'openai-compatible', baseURL, apiKey: 'operator-key', models: ['m'] },
        relay: { kind: 'openai-compatible', baseURL, apiKey: 'operator-key', models: ['m'], endpoints },
      },
      presets: { http: { provider: 'http', model: 'm' }, relay: { provider: 'relay', model: 'm' } },
      runtime: { defaults: { provider: 'demo', model: 'demo' } },
      ledger: { limits: [{ name: 'tokens', measure: 'tokens', max: 1e12, window: 'day' }] },
      answers: { enabled: true },
    },
  })
  keys = { user: await harness.createKey('user'), service: await harness.createKey('service') }
})
after(async () => {
  await harness[Symbol.asyncDispose]()
  await upstream.stop()
})

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
  /** The most memory in use between two turns of the event loop; above half of the goal without garbage. */
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
  // What is freed of the row before must not count as work of this one.
  collectGarbage()
  await new Promise(setImmediate)
  collectGarbage()
  const bytesBefore = usedBytes()
  let stallMs = 0
  let bytes = 0
  let isRunning = true
  let start = process.threadCpuUsage()
  const tick = (): void => {
    const { user, system } = process.threadCpuUsage(start)
    stallMs = Math.max(stallMs, (user + system) / 1_000)
    if (usedBytes() - bytesBefore > goalBytes / 2) collectGarbage()
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

interface Route {
  readonly method: Method
  readonly path: string
  readonly key: string | undefined
}

/** One row of the table: a route, a body and the headers on which it depends what is done with it. */
interface Attempt {
  readonly route: Route
  readonly name: string
  readonly body: () => string
  readonly headers: Readonly<Record<string, string>>
}

/** Every route that has a body, with a key that may use it and without one. */
async function listTriedRoutes(): Promise<Route[]> {
  return (await listRoutes()).flatMap(({ method, path, scope }) => {
    if (method === 'GET' || path.endsWith('/erase')) return []
    const anonymous = { method, path, key: undefined }
    return scope === 'public' ? [anonymous] : [anonymous, { method, path, key: keyFor(scope) }]
  })
}

function keyFor(scope: string): string {
  return scope === 'chat' ? keys.user : harness.key
}

function listStructures(routes: readonly Route[]): Attempt[] {
  return routes.flatMap((route) =>
    Object.entries(STRUCTURES).map(([name, body]) => ({
      route,
      name,
      body,
      headers: route.key === undefined ? {} : { 'idempotency-key': name },
    })),
  )
}

const TEXT_ROUTES = ['/v1/chat/completions', '/v1/responses', '/v1/messages']
const OTHER_TEXT_ROUTES = ['/v1/messages/count_tokens', '/v1/embeddings', '/v1/completions', '/api/users/ada/profile']
const CACHE_MODES = ['on', 'off']

/** Bodies of 20 MB, with and without an idempotency key, with answers on and off, on every kind of provider. */
function listTexts(routes: readonly Route[]): Attempt[] {
  return routes.flatMap((route) => {
    const { path, key } = route
    const isChat = TEXT_ROUTES.includes(path)
    if (key === undefined || !(isChat || OTHER_TEXT_ROUTES.includes(path))) return []
    const texts = Object.entries(TEXTS).map(([name, text]) => [name, () => wrapText(path, text())] as const)
    const bodies = isChat ? [...texts, ['messages', () => wrapTexts(path)], ['call', () => wrapToolCall(path)]] : texts
    const presets = isChat ? ['', 'http', 'relay'] : ['relay']
    const variants = presets.flatMap((preset) =>
      CACHE_MODES.flatMap((cache) => [true, false].map((isIdempotent) => ({ preset, cache, isIdempotent }))),
    )
    return bodies.flatMap(([name, body]) =>
      variants.map(({ preset, cache, isIdempotent }) => ({
        route,
        name: `20 MB: ${name}, provider ${preset || 'demo'}, answers ${cache}${isIdempotent ? ', idempotent' : ''}`,
        body: body as () => string,
        headers: {
          'x-purser-cache': cache,
          ...(preset === '' ? {} : { 'x-purser-preset': preset }),
          ...(isIdempotent ? { 'idempotency-key': `${name} ${preset} ${cache}` } : {}),
        },
      })),
    )
  })
}

async function tryBody({ route, name, body, headers }: Attempt): Promise<Row> {
  const { method, path, key } = route
  const bytes = Buffer.from(body())
  const kind = key === undefined ? 'without a key' : 'with a key'
  const allHeaders = {
    'content-length': String(bytes.length),
    'content-type': 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...headers,
  }
  const measured = await measure(GOALS[kind].bytesOf(bytes.length), () =>
    harness.fastify.inject({ method, url: path, headers: allHeaders, payload: Readable.from(inPieces(bytes)) }),
  )
  return { kind, name: `${method} ${path}: ${name}`, bodyBytes: bytes.length, ...measured }
}

/** A random share of the rows, the same for the same seed. */
function share(attempts: readonly Attempt[], count: number): readonly Attempt[] {
  if (isFullRun) return attempts
  const [sample = []] = fc.sample(fc.shuffledSubarray([...attempts], { minLength: count, maxLength: count }), {
    seed,
    numRuns: 1,
  })
  return sample
}

test('no request holds up the event loop or takes much memory: every route, every hostile body', {
  timeout: 3_600_000,
}, async () => {
  const routes = await listTriedRoutes()
  const publicRoutes = routes.filter(({ key, path }) => key === undefined && path === '/api/session')
  assert.ok(publicRoutes.length > 0)
  const attempts = [
    ...share(listStructures(routes), SHARE.structures),
    ...(isFullRun ? [] : listStructures(publicRoutes)),
    ...share(listTexts(routes), SHARE.texts),
  ]
  const rows: Row[] = []
  for (const attempt of attempts) rows.push(await tryBody(attempt))
  for (const kind of ['without a key', 'with a key'] as const) {
    const ofKind = rows.filter((row) => row.kind === kind)
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
