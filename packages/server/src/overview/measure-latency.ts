import type { Purser, TurnRecord } from 'purser'

/** Of milliseconds; 0 without any. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface Latency {
  /** The number of turns that were measured. */
  readonly turns: number
  /** False: only the newest turns of the last 24 hours, because there are more. */
  readonly complete: boolean
  readonly overheadMs: Percentiles
  readonly firstChunkMs: Percentiles
  readonly upstreamMs: Percentiles
  readonly totalMs: Percentiles
  /** Turns by `cache`. */
  readonly cache: Readonly<Record<string, number>>
  /** Sections that models were told, by status. */
  readonly context: Readonly<Record<string, number>>
}

const DAY_MS = 86_400_000
const MAX_TURNS = 10_000

/** Reads the turns of the last 24 hours, newest first. Refused turns have no times and are left out. */
export async function measureLatency({ turns: readTurns }: Pick<Purser, 'turns'>, now: number): Promise<Latency> {
  const turns: TurnRecord[] = []
  const since = new Date(now - DAY_MS).toISOString()
  let complete = true
  for await (const turn of readTurns({ order: 'descending' })) {
    if (turn.at < since) break
    if (turns.length === MAX_TURNS) {
      complete = false
      break
    }
    if (turn.outcome !== 'refused') turns.push(turn)
  }
  const timesOf = (field: 'overheadMs' | 'firstChunkMs' | 'upstreamMs' | 'totalMs'): Percentiles =>
    percentilesOf(turns.map((turn) => turn[field]).filter((ms) => ms !== null))
  return {
    turns: turns.length,
    complete,
    overheadMs: timesOf('overheadMs'),
    firstChunkMs: timesOf('firstChunkMs'),
    upstreamMs: timesOf('upstreamMs'),
    totalMs: timesOf('totalMs'),
    cache: countBy(turns.map(({ cache }) => cache)),
    context: countBy(turns.flatMap(({ context }) => context.map(({ status }) => status))),
  }
}

/** By the nearest rank. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

function countBy(values: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return Object.fromEntries(counts)
}
