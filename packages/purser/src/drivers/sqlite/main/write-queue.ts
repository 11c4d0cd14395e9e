import { randomInt } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { afterCurrentTick, systemEffects } from '../../../core/effects.ts'
import { PurserError, storeClosed } from '../../../errors.ts'
import { isBusy, isStoreFault, toStoreError } from '../errors.ts'
import { openWriteLock, type WriteLock } from './write-lock.ts'

/*
 * Group commit. What waits is written in one transaction, so that many share the price of one flush to disk. The first
 * one starts when all has been said that is said together, as by a parcel of calls; the next when the last has ended
 * and the event loop has had its turn.
 *
 * Writes run one after the other without savepoints, which is the fast and the usual way. When one of them fails by
 * its own fault, the transaction is rolled back and all of them run again, each in a savepoint: the poisoned one
 * fails alone. Trouble of the store itself (full, read-only, damaged) fails the whole batch.
 *
 * Another process may hold the lock. Then we come back a little later instead of waiting on the spot, because a
 * blocked thread would block every user. The wait is real time whatever clock the house runs on: the other process
 * knows nothing of ours.
 */

export interface WriteLimits {
  /** Writes in one transaction; the others wait for the next. */
  readonly maxPerTransaction: number
  /** Writes that may wait; one more is `store_unavailable`. */
  readonly maxWaiting: number
  /** How long another process may hold the lock before the waiting writes are `store_unavailable`. */
  readonly busyGiveUpMs: number
  /** Pause before the lock is tried again: between half of this and one and a half. */
  readonly busyRetryMs: number
  /** How long the lock may be held for one write that is still to be decided. */
  readonly maxHoldMs: number
}

export const WRITE_LIMITS: WriteLimits = {
  maxPerTransaction: 256,
  maxWaiting: 100_000,
  busyGiveUpMs: 5_000,
  busyRetryMs: 8,
  maxHoldMs: 250,
}

export interface WriteQueue {
  /**
   * Runs `task` inside a transaction and resolves to its result once that is on disk. It may run twice, so it must
   * have no effect but its statements.
   */
  write<Result>(task: () => Result): Promise<Result>
  /** Resolves when nobody else can write; what waits here goes on when the hold is over. */
  hold(): Promise<WriteLock>
  /** Takes the lock back from whoever holds it, for work that cannot wait for them. */
  endHold(): void
  /** Resolves when nothing waits any more. New writes are refused from now on. */
  drain(): Promise<void>
}

interface Waiting {
  run(): unknown
  resolve(result: unknown): void
  reject(error: unknown): void
}

type Done = { readonly result: unknown } | { readonly error: unknown }

export function createWriteQueue(
  connection: DatabaseSync,
  path: string,
  limits: WriteLimits = WRITE_LIMITS,
): WriteQueue {
  const begin = connection.prepare('BEGIN IMMEDIATE')
  const commit = connection.prepare('COMMIT')
  const rollback = connection.prepare('ROLLBACK')
  const savepoint = connection.prepare('SAVEPOINT one')
  const release = connection.prepare('RELEASE one')
  const rollbackToSavepoint = connection.prepare('ROLLBACK TO one')
  let waiting: Waiting[] = []
  const holds: PromiseWithResolvers<WriteLock>[] = []
  let held: WriteLock | undefined
  let scheduled = false
  let busySince: number | undefined
  let draining: { promise: Promise<void>; done: () => void } | undefined

  function schedule(later: (run: () => void) => void = afterCurrentTick): void {
    if (held !== undefined || scheduled) return
    if (waiting.length + holds.length === 0) {
      draining?.done()
      return
    }
    scheduled = true
    later(holds.length > 0 ? grant : flush)
  }

  function grant(): void {
    scheduled = false
    try {
      begin.run()
    } catch (error) {
      if (isBusy(error) && mayWaitLonger(grant)) return
      busySince = undefined
      const fault = toStoreError(error, path)
      for (const waiter of holds.splice(0)) waiter.reject(fault)
      schedule()
      return
    }
    busySince = undefined
    held = openWriteLock({
      maxMs: limits.maxHoldMs,
      commit: () => commit.run(),
      rollback: () => connection.isTransaction && rollback.run(),
      over() {
        held = undefined
        schedule()
      },
    })
    holds.shift()?.resolve(held)
  }

  function flush(): void {
    scheduled = false
    const batch = waiting.slice(0, limits.maxPerTransaction)
    try {
      const done = transaction(batch)
      busySince = undefined
      finish(batch, done)
    } catch (error) {
      if (isBusy(error) && mayWaitLonger(flush)) return
      busySince = undefined
      const fault = toStoreError(error, path)
      finish(
        batch,
        batch.map(() => ({ error: fault })),
      )
    }
  }

  /** Takes the batch off the queue, tells its writers and goes on with the rest. */
  function finish(batch: readonly Waiting[], done: readonly Done[]): void {
    waiting = waiting.slice(batch.length)
    for (const [index, outcome] of done.entries()) {
      const task = batch[index] as Waiting
      if ('error' in outcome) task.reject(outcome.error)
      else task.resolve(outcome.result)
    }
    schedule()
  }

  /** Comes back a little later, unless the lock has been somebody else's for too long. */
  function mayWaitLonger(comeBack: () => void): boolean {
    const now = systemEffects.monotonic()
    busySince ??= now
    if (now - busySince >= limits.busyGiveUpMs) return false
    scheduled = true
    const pauseMs = limits.busyRetryMs * (0.5 + randomInt(1_000) / 1_000)
    systemEffects.setTimer(comeBack, pauseMs)
    return true
  }

  function transaction(batch: readonly Waiting[]): Done[] {
    let done = attempt(() => batch.map((task) => ({ result: task.run() })))
    done ??= attempt(() => batch.map(apart))
    if (done === undefined) throw new Error('A write failed outside of its savepoint.')
    return done
  }

  /** One transaction; undefined when a write failed by its own fault and all is rolled back. */
  function attempt(run: () => Done[]): Done[] | undefined {
    begin.run()
    try {
      const done = run()
      commit.run()
      return done
    } catch (error) {
      if (connection.isTransaction) rollback.run()
      if (isStoreFault(error)) throw error
      return undefined
    }
  }

  function apart(task: Waiting): Done {
    savepoint.run()
    try {
      const result = task.run()
      release.run()
      return { result }
    } catch (error) {
      if (isStoreFault(error) || !connection.isTransaction) throw error
      rollbackToSavepoint.run()
      release.run()
      return { error }
    }
  }

  function refuseWhenDraining(): void {
    if (draining !== undefined) throw storeClosed()
  }

  return {
    write<Result>(task: () => Result) {
      return new Promise<Result>((resolve, reject) => {
        refuseWhenDraining()
        if (waiting.length >= limits.maxWaiting)
          throw new PurserError('store_unavailable', `${waiting.length} writes are already waiting for the disk.`)
        waiting.push({ run: task, resolve, reject } as Waiting)
        schedule(queueMicrotask)
      })
    },
    async hold() {
      refuseWhenDraining()
      const waiter = Promise.withResolvers<WriteLock>()
      holds.push(waiter)
      schedule()
      return waiter.promise
    },
    endHold: () => held?.end(),
    drain() {
      if (draining === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>()
        draining = { promise, done: resolve }
        schedule()
      }
      return draining.promise
    },
  }
}
