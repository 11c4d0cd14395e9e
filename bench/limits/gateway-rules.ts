import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CAP, type Contender, SAME_QUESTION, startPurser } from '../gateway/contenders.ts'
import { measureSlice } from '../gateway/load.ts'
import { startOnPrintedPort } from '../gateway/processes.ts'
import { type Figure, median } from '../ledger/figures.ts'
import { TEN_LIMITS } from './ten-rules.ts'

const CONNECTIONS = 32
const SLICE_SECONDS = 2
/** V8 has compiled the way of a request by then. */
const WARM_UP_SECONDS = 10
const GOAL = 0.95

/**
 * Chat requests through two gateways on SQLite, under `daily` alone and under ten limits, in turn. The throughput that remains is the
 * ratio of their processor times for one request, because a gateway that is busy serves as many requests as its processor
 * has time for; other load of the machine changes that little.
 */
export async function measureGatewayRules(rounds: number): Promise<Figure> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const directory = join(import.meta.dirname, '..')
  const upstream = stack.use(await startOnPrintedPort([join(directory, 'gateway', 'upstream.ts')]))
  const start = { stack, directory, origin: `http://127.0.0.1:${upstream.port}` }
  const ledger = { dailyCap: 100_000_000, limits: TEN_LIMITS }
  const prices = { 'local/*': { input: '1.25', output: '10' } }
  const one = await startPurser(start, { name: 'one limit', config: { ...CAP, prices }, body: SAME_QUESTION })
  const ten = await startPurser(start, { name: 'ten limits', config: { ledger, prices }, body: SAME_QUESTION })
  for (const gateway of [one, ten]) await processorMicros(gateway, { seconds: WARM_UP_SECONDS, folder })
  const times: { readonly one: number; readonly ten: number }[] = []
  for (let round = 0; round < rounds; round++) {
    const slice = { seconds: SLICE_SECONDS, folder }
    times.push({ one: await processorMicros(one, slice), ten: await processorMicros(ten, slice) })
  }
  const ratio = median(times.map((time) => time.one / time.ten))
  const micros = (name: 'one' | 'ten'): string => median(times.map((time) => time[name])).toFixed(0)
  return {
    title: 'gateway: processor time of a request under one limit, under ten, throughput that remains',
    value: `${micros('one')} µs, ${micros('ten')} µs, ${(ratio * 100).toFixed(0)} %`,
    goal: `>= ${GOAL * 100} %`,
    met: ratio >= GOAL,
  }
}

/** Processor time of the gateway for one request, µs. */
async function processorMicros(
  gateway: Contender,
  { seconds, folder }: { readonly seconds: number; readonly folder: string },
): Promise<number> {
  const slice = { ...gateway, connections: CONNECTIONS, seconds, folder }
  const { processorMicros: micros, failed } = await measureSlice(gateway.server, slice)
  if (failed > 0) throw new Error(`${failed} requests of '${gateway.name}' failed.`)
  return micros
}
