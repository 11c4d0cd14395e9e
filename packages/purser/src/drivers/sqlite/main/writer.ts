import type { Database } from '../database.ts'
import type { LockedTransaction } from '../locked-transaction.ts'
import { serializeError } from '../worker/serialized-error.ts'
import type { WriterCalls } from '../worker/threads.ts'
import { prepareWriteRows } from './all-rows.ts'
import { prepareCommit } from './commit.ts'
import { prepareErase, prepareWipe } from './erase.ts'
import { unpack } from './packed-commit.ts'
import { prepareSweepSums } from './sums.ts'
import { FOLD_LIMITS, type FoldLimits, TurnFold } from './turn-fold.ts'
import { prepareSweepTurns } from './turns.ts'

/** The functions of the writer thread. */
export function createWriterCalls(main: Database, foldLimits: FoldLimits = FOLD_LIMITS): WriterCalls {
  const sweep = main.prepare(
    'DELETE FROM replies WHERE (uid, key) IN (SELECT uid, key FROM replies WHERE expires_at <= ? LIMIT ?)',
  )
  const addMeta = main.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const replaceMeta = main.prepare('UPDATE meta SET value = ? WHERE name = ? AND value = ?')
  const fold = new TurnFold(main, foldLimits)
  const runCommit = prepareCommit(main, fold)
  const runErase = prepareErase(main, runCommit, fold)
  // SQLite counts this per connection: it changes with the commits of other connections only.
  const dataVersion = main.prepare('PRAGMA data_version')
  // Undefined at first, so that the first call is always true: earlier commits are unknown.
  let lastVersion: unknown
  let lastLock = 0
  let transaction: LockedTransaction | undefined
  const find = (lock: number): LockedTransaction | undefined => (lock === lastLock ? transaction : undefined)
  return {
    truncateLog: main.truncateLog,
    vacuum: main.vacuum,
    async close() {
      await fold.close()
      await main.close()
    },
    ...prepareWipe(main, fold),
    async commitAll(commits) {
      const outcomes = await main.writeAll(commits.map((commit) => () => runCommit(unpack(commit))))
      return outcomes.map((outcome) => ('error' in outcome ? serializeError(outcome.error) : outcome.result))
    },
    erase: (user, erasure) => main.write(() => runErase(user, erasure)),
    async lockWrites() {
      transaction = await main.lock()
      return ++lastLock
    },
    commitLocked: (lock, commit) => find(lock)?.write(() => runCommit(unpack(commit))) ?? false,
    eraseLocked: (lock, user, erasure) => find(lock)?.write(() => runErase(user, erasure)),
    releaseLock: (lock) => find(lock)?.release(),
    writeRows: prepareWriteRows(main),
    foldTurns: () => fold.fold(),
    sweepTurns: prepareSweepTurns(main, fold),
    ...prepareSweepSums(main),
    sweepReplies: (now, limit) => main.write(() => Number(sweep.run(now, limit).changes)),
    compareAndSetMeta: (name, expected, value) =>
      main.write(
        () =>
          (expected === undefined ? addMeta.run(name, value) : replaceMeta.run(value, name, expected)).changes === 1,
      ),
    hasForeignCommits() {
      const version = dataVersion.get()?.data_version
      const hasChanged = version !== lastVersion
      lastVersion = version
      return hasChanged
    },
  }
}
