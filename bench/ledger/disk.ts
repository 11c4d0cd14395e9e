import { DatabaseSync } from 'node:sqlite'

/** Makes every commit of every database that is opened meanwhile stand still first, on its thread, as a slow flush does. */
export interface SlowDisk extends Disposable {
  /** 0: as fast as it is. */
  delayMs: number
}

export function slowDisk(delayMs: number): SlowDisk {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const { prepare } = DatabaseSync.prototype
  const disk: SlowDisk = {
    delayMs,
    [Symbol.dispose]() {
      DatabaseSync.prototype.prepare = prepare
    },
  }
  DatabaseSync.prototype.prepare = function prepareSlowly(...given) {
    const statement = prepare.apply(this, given)
    if (given[0] !== 'COMMIT') return statement
    const run = statement.run.bind(statement)
    statement.run = () => {
      if (disk.delayMs > 0) Atomics.wait(cell, 0, 0, disk.delayMs)
      return run()
    }
    return statement
  }
  return disk
}
