import { INITIAL, isSame, type ModelState, type Operation, type Outcome, step } from './ledger-model.ts'

/** One call of a history. Instants are ns of one clock that all processes of the machine share. */
export interface RecordedCall {
  readonly operation: Operation
  readonly startedAt: number
  /** Infinity: its outcome is not known, so it may have had its effect at any later time, or none. */
  readonly endedAt: number
  /** Undefined: not known. */
  readonly outcome: Outcome | undefined
}

interface Node {
  /** The calls that are in the order so far, as bits. */
  readonly done: bigint
  readonly state: ModelState
}

/**
 * Whether the calls have an order in which each returns what the model returns (Wing and Gong's search, with the visited
 * pairs of calls and state remembered, as Lowe does).
 */
export function isLinearizable(history: readonly RecordedCall[]): boolean {
  const all = history.reduce((bits, call, index) => (call.outcome === undefined ? bits : bits | bit(index)), 0n)
  const visited = new Set<string>()
  const stack: Node[] = [{ done: 0n, state: INITIAL }]
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if ((node.done & all) === all) return true
    for (const next of successors(history, node)) {
      const key = `${next.done}${JSON.stringify(next.state)}`
      if (visited.has(key)) continue
      visited.add(key)
      stack.push(next)
    }
  }
  return false
}

/** The calls that may be next: those that began before every other one ended. */
function successors(history: readonly RecordedCall[], { done, state }: Node): Node[] {
  const open = history.map((call, index) => ({ call, index })).filter(({ index }) => (done & bit(index)) === 0n)
  const firstEnd = Math.min(...open.map(({ call }) => call.endedAt))
  return open.flatMap(({ call, index }) => {
    if (call.startedAt > firstEnd) return []
    const { state: after, outcome } = step(state, call.operation)
    if (call.outcome !== undefined && !isSame(outcome, call.outcome)) return []
    return [{ done: done | bit(index), state: after }]
  })
}

function bit(index: number): bigint {
  return 1n << BigInt(index)
}
