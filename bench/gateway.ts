/*
 * Chat requests through the gateway, compared with a bare relay and with Portkey. The load generator, the upstream and the
 * gateways share the cores of this machine, so only ratios are meaningful. All gateways are started and warmed up with the
 * same number of requests; then they are measured in interleaved short slices, so that other load of the machine affects
 * all of them.
 *
 *   npm run gateway -- [--quick] [--rounds 5] [--soak MINUTES]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contender, startContenders } from './gateway/contenders.ts'
import { type LoadSlice, measureSlice } from './gateway/load.ts'
import { startOnPrintedPort } from './gateway/processes.ts'
import { measureStreams, type StreamResult } from './gateway/streams.ts'
import { median } from './ledger/figures.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, rounds: { type: 'string' }, soak: { type: 'string' } },
})
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
const seconds = values.quick ? 1 : 2
const CONNECTIONS = values.quick ? [1, 32] : [1, 32, 256]
const STREAMS = values.quick ? [128] : [128, 1_000]
/** Connections of the frontier, which raise the rate and with it the waiting time. */
const FRONTIER = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const ADDED_MS = [1, 5, 50]
const MEMORY_REQUESTS = 200_000
/**
 * After about 40,000 requests, and chunks of streams, V8 has compiled what it is going to compile. A quick run has a part of that
 * in its figures.
 */
const WARM_UP_REQUESTS = values.quick ? 15_000 : 40_000
const WARM_UP_MAX_SLICES = 10
const WARM_UP_STREAMS = 1_000

interface StreamSlice extends StreamResult {
  /** Processor time of the gateway per chunk, µs. */
  readonly processorMicros: number
}

const directory = import.meta.dirname
const folder = mkdtempSync(join(tmpdir(), 'purser-load-'))
await using stack = new AsyncDisposableStack()
stack.defer(() => rmSync(folder, { recursive: true }))
const upstream = stack.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
const contenders = await startContenders(stack, { directory, origin: `http://127.0.0.1:${upstream.port}` })
const idleMb = new Map(contenders.map((contender) => [contender, contender.server.residentMb()]))
for (const contender of contenders) await warmUp(contender)

for (const connections of CONNECTIONS) await printLoadTable(connections)
for (const streams of STREAMS) await printStreamTable(streams)
if (!values.quick) await printFrontier()
if (values.soak !== undefined) await printMemory(Number(values.soak))

/** A gateway that has just been started is measured while it compiles, which costs the larger ones more. */
async function warmUp(contender: Contender): Promise<void> {
  let requests = 0
  for (let slice = 0; slice < WARM_UP_MAX_SLICES && requests < WARM_UP_REQUESTS; slice++)
    requests += (await load(contender, 32, 2)).requests
  if (isStreamed(contender)) await stream(contender, WARM_UP_STREAMS)
}

function isStreamed({ name }: Contender): boolean {
  return !name.includes('known') && !name.includes('new')
}

function load(contender: Contender, connections: number, duration = seconds): Promise<LoadSlice> {
  return measureSlice(contender.server, { ...contender, connections, seconds: duration, folder })
}

async function printLoadTable(connections: number): Promise<void> {
  const slices = new Map<Contender, LoadSlice[]>(contenders.map((contender) => [contender, []]))
  for (let round = 0; round < rounds; round++)
    for (const contender of contenders) slices.get(contender)?.push(await load(contender, connections))
  console.log(`\n${connections} connections, medians of ${rounds} slices of ${seconds} s\n`)
  console.log('| | requests/s | p50 ms | p99 ms | processor µs | not 200 | of the relay | x Portkey |')
  console.log('|---|--:|--:|--:|--:|--:|--:|--:|')
  const [relay, portkey] = contenders.map((contender) => rateOf(slices.get(contender) ?? []))
  for (const [{ name }, all] of slices) {
    const of = (value: (slice: LoadSlice) => number): number => median(all.map(value))
    const failed = all.reduce((sum, slice) => sum + slice.failed, 0)
    const cells = [
      Math.round(rateOf(all)),
      of((slice) => slice.p50Ms).toFixed(2),
      of((slice) => slice.p99Ms).toFixed(2),
      of((slice) => slice.processorMicros).toFixed(0),
      failed,
      `${((100 * rateOf(all)) / (relay ?? Number.NaN)).toFixed(0)} %`,
      (rateOf(all) / (portkey ?? Number.NaN)).toFixed(1),
    ]
    console.log(`| ${name} | ${cells.join(' | ')} |`)
  }
}

async function printStreamTable(streams: number): Promise<void> {
  const measured = contenders.filter(isStreamed)
  const slices = new Map<Contender, StreamSlice[]>(measured.map((contender) => [contender, []]))
  for (let round = 0; round < Math.min(rounds, 3); round++)
    for (const contender of measured) slices.get(contender)?.push(await stream(contender, streams))
  console.log(`\n${streams} streams of 20 chunks/s\n`)
  console.log('| | first chunk p50 ms | first chunk p99 ms | chunk delay p99 ms | processor µs a chunk |')
  console.log('|---|--:|--:|--:|--:|')
  for (const [{ name }, all] of slices) {
    const of = (value: (slice: StreamSlice) => number): string => median(all.map(value)).toFixed(1)
    const cells = [
      of((slice) => slice.firstChunkP50Ms),
      of((slice) => slice.firstChunkP99Ms),
      of((slice) => slice.delayP99Ms),
      of((slice) => slice.processorMicros),
    ]
    console.log(`| ${name} | ${cells.join(' | ')} |`)
  }
}

async function stream(contender: Contender, streams: number): Promise<StreamSlice> {
  const { url, headers, server } = contender
  // A user has at most 100 open streams.
  const bodyOf = (index: number): string =>
    `{"model":"m","user":"user-${index}","stream":true,"messages":[{"role":"user","content":"Say hello."}]}`
  let before = 0
  const result = await measureStreams({ url, headers, bodyOf, streams, seconds: values.quick ? 2 : 4 }, () => {
    before = server.processorMicros()
  })
  return { ...result, processorMicros: (server.processorMicros() - before) / result.chunks }
}

/** The highest rate at which the p99 is at most so much above that of one connection of the bare relay. */
async function printFrontier(): Promise<void> {
  console.log('\nHighest rate with an added p99 of at most\n')
  console.log(`| | ${ADDED_MS.map((ms) => `${ms} ms`).join(' | ')} |\n|---|--:|--:|--:|`)
  let base = Number.NaN
  for (const contender of contenders) {
    const points: LoadSlice[] = []
    for (const connections of FRONTIER) points.push(await load(contender, connections, 1))
    if (Number.isNaN(base)) base = points[0]?.p99Ms ?? Number.NaN
    const cells = ADDED_MS.map((ms) => {
      const rates = points.filter(({ p99Ms }) => p99Ms - base <= ms).map(({ requestsPerSecond }) => requestsPerSecond)
      return rates.length === 0 ? '–' : Math.round(Math.max(...rates))
    })
    console.log(`| ${contender.name} | ${cells.join(' | ')} |`)
  }
}

async function printMemory(minutes: number): Promise<void> {
  console.log(
    `\nResident memory\n\n| | idle MB | after ${MEMORY_REQUESTS} requests MB | after ${minutes} more minutes MB |`,
  )
  console.log('|---|--:|--:|--:|')
  for (const contender of contenders) {
    for (let requests = 0; requests < MEMORY_REQUESTS; ) requests += (await load(contender, 32, 5)).requests
    const loaded = contender.server.residentMb()
    if (minutes > 0) await load(contender, 32, minutes * 60)
    const cells = [idleMb.get(contender) ?? Number.NaN, loaded, contender.server.residentMb()]
    console.log(`| ${contender.name} | ${cells.map((mb) => mb.toFixed(0)).join(' | ')} |`)
  }
}

function rateOf(slices: readonly LoadSlice[]): number {
  return median(slices.map((slice) => slice.requestsPerSecond))
}
