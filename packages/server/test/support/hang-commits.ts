import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { threadId } from 'node:worker_threads'

/*
 * Simulates a disk that hangs: while the file of PURSER_TEST_HANG exists, a commit in any thread does not return. All
 * threads import this file before anything else (`--import`).
 */

const file = process.env.PURSER_TEST_HANG ?? ''
const cell = new Int32Array(new SharedArrayBuffer(4))
const POLL_MS = 20

const { prepare } = DatabaseSync.prototype
DatabaseSync.prototype.prepare = function prepareHanging(...args) {
  const statement = prepare.apply(this, args)
  if (args[0] !== 'COMMIT' || threadId === 0) return statement
  const run = statement.run.bind(statement)
  statement.run = () => {
    while (existsSync(file)) Atomics.wait(cell, 0, 0, POLL_MS)
    return run()
  }
  return statement
}
