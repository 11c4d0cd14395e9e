import { DatabaseSync } from 'node:sqlite'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

/*
 * Simulates a slow disk: every commit first blocks its thread, as a slow flush does. All threads import this file before
 * anything else (`--import`) and share the delay.
 */

const NAME = 'bench:delay'
const DELAY_INDEX = 0
/** Never changes, so `Atomics.wait` on it ends with the timeout. */
const WAIT_INDEX = 1
const cells = (isMainThread ? undefined : (getEnvironmentData(NAME) as Int32Array)) ?? createCells()

function createCells(): Int32Array {
  const created = new Int32Array(new SharedArrayBuffer(8))
  setEnvironmentData(NAME, created)
  return created
}

/** Delays every commit of all databases in this process; 0: no delay. */
export function delayCommits(delayMs: number): void {
  cells[DELAY_INDEX] = delayMs
}

const { prepare } = DatabaseSync.prototype
DatabaseSync.prototype.prepare = function prepareSlowly(...args) {
  const statement = prepare.apply(this, args)
  if (args[0] !== 'COMMIT') return statement
  const run = statement.run.bind(statement)
  statement.run = () => {
    const delayMs = cells[DELAY_INDEX] ?? 0
    if (delayMs > 0) Atomics.wait(cells, WAIT_INDEX, 0, delayMs)
    return run()
  }
  return statement
}
