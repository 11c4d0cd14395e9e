import type { Subject } from '../../../core/subject.ts'
import type { Erasure } from '../../../storage/store.ts'
import type { Database } from '../database.ts'
import { createWorkerClient, type WorkerClient } from '../worker/client.ts'
import { prepareCommit } from './commit.ts'
import { prepareErase } from './erase.ts'
import { type FileCalls, fileCalls } from './file-calls.ts'
import type { PackedCommit } from './packed-commit.ts'
import { prepareWipe, type WipeCalls } from './wipe.ts'
import type { WriteLock } from './write-lock.ts'
import { WRITE_LIMITS } from './write-queue.ts'

/** Everything that writes what must survive. Each resolves when it is on disk; those that come together share a flush. */
export interface WriterCalls extends FileCalls, WipeCalls {
  /** False when it was decided on another state; then nothing was written. */
  commit(commit: PackedCommit): Promise<boolean>
  /** Resolves to the number of a hold: nobody else writes while it lasts. */
  holdWrites(): Promise<number>
  /** Like `commit` and `erase`; false and undefined also when the hold is over. */
  commitHeld(hold: number, commit: PackedCommit): boolean
  eraseHeld(hold: number, user: Subject, erasure: Erasure): ErasedRows | undefined
  endHold(hold: number): void
  /** Takes a user out of reach. Undefined when it was decided on another state. */
  erase(user: Subject, erasure: Erasure): Promise<ErasedRows | undefined>
  sweepReplies(now: number, limit: number): Promise<number>
  compareAndSetMeta(name: string, expected: string | undefined, value: string): Promise<boolean>
  /** Whether another process has written to the database since this was asked last. */
  hasForeignCommits(): boolean
}

type ErasedRows = Readonly<Record<string, number>>

export type Writer = Pick<WorkerClient<WriterCalls>, 'call' | 'callAtOnce'>

/** The one connection of this process that writes, on a thread of its own. */
export function createWriter(path: string): WorkerClient<WriterCalls> {
  return createWorkerClient<WriterCalls>({ module: 'writer.entry', path, maxWaiting: WRITE_LIMITS.maxWaiting })
}

export function createWriterCalls(main: Database): WriterCalls {
  const sweep = main.prepare(
    'DELETE FROM replies WHERE (uid, key) IN (SELECT uid, key FROM replies WHERE expires_at <= ? LIMIT ?)',
  )
  const add = main.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const replace = main.prepare('UPDATE meta SET value = ? WHERE name = ? AND value = ?')
  const runCommit = prepareCommit(main)
  const runErase = prepareErase(main, runCommit)
  // SQLite keeps this number for every connection; the commits of the connection itself do not change it.
  const dataVersion = main.prepare('PRAGMA data_version')
  // Nobody knows what happened before it was asked first.
  let lastVersion: unknown
  let holds = 0
  let last: WriteLock | undefined
  const held = (hold: number): WriteLock | undefined => (hold === holds ? last : undefined)
  return {
    ...fileCalls(main),
    ...prepareWipe(main),
    commit: (commit) => main.write(() => runCommit(commit)),
    async holdWrites() {
      last = await main.hold()
      return ++holds
    },
    commitHeld: (hold, commit) => held(hold)?.write(() => runCommit(commit)) ?? false,
    eraseHeld: (hold, user, erasure) => held(hold)?.write(() => runErase(user, erasure)),
    endHold: (hold) => held(hold)?.end(),
    erase: (user, erasure) => main.write(() => runErase(user, erasure)),
    sweepReplies: (now, limit) => main.write(() => Number(sweep.run(now, limit).changes)),
    compareAndSetMeta: (name, expected, value) =>
      main.write(
        () => (expected === undefined ? add.run(name, value) : replace.run(value, name, expected)).changes === 1,
      ),
    hasForeignCommits() {
      const version = dataVersion.get()?.data_version
      const isNew = version !== lastVersion
      lastVersion = version
      return isNew
    },
  }
}
