import { DatabaseSync } from 'node:sqlite'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

/*
 * A disk that is as slow as we like: every commit stands still first, on its own thread, as a slow flush does. This
 * file is imported by every thread before anything else (`--import`); all of them look at one number.
 */

const NAME = 'bench:delay'
const WAITING = 1
const cell = (isMainThread ? undefined : (getEnvironmentData(NAME) as Int32Array)) ?? newCell()

function newCell(): Int32Array {
  const made = new Int32Array(new SharedArrayBuffer(8))
  setEnvironmentData(NAME, made)
  return made
}

/** What every commit of every database that is opened from now on waits for; 0: as fast as the disk is. */
export function delayCommits(delayMs: number): void {
  cell[0] = delayMs
}

const { prepare } = DatabaseSync.prototype
DatabaseSync.prototype.prepare = function prepareSlowly(...given) {
  const statement = prepare.apply(this, given)
  if (given[0] !== 'COMMIT') return statement
  const run = statement.run.bind(statement)
  statement.run = () => {
    const delayMs = cell[0] ?? 0
    if (delayMs > 0) Atomics.wait(cell, WAITING, 0, delayMs)
    return run()
  }
  return statement
}
