import { openDatabase } from '../../packages/purser/src/drivers/sqlite/database.ts'
import { prepareCommit } from '../../packages/purser/src/drivers/sqlite/main/commit.ts'
import type { CommitColumns } from '../../packages/purser/src/drivers/sqlite/main/packed-commit.ts'
import { migrate } from '../../packages/purser/src/drivers/sqlite/migrate.ts'

/** The SQL part of admissions alone: Purser's schema, indexes and statements, without journal, decisions and threads. */
export interface Statements extends AsyncDisposable {
  /** One transaction. */
  admit(ids: readonly string[]): void
}

const DAY_MS = 86_400_000

export async function openStatements(path: string): Promise<Statements> {
  const database = await openDatabase({ path, profile: 'durable' })
  migrate(database.connection)
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const run = prepareCommit(database)
  const counts = new Map<string, number>()
  return {
    admit(ids) {
      const now = Date.now()
      begin.run()
      for (const id of ids) {
        const count = counts.get(id) ?? 0
        if (!run(admission(id, count, now))) throw new Error('A commit was rejected.')
        counts.set(id, count + 1)
      }
      commit.run()
    },
    [Symbol.asyncDispose]: () => database.close(),
  }
}

function admission(id: string, count: number, now: number): CommitColumns {
  const today = new Date(now).toISOString().slice(0, 10)
  return {
    namespace: 'default',
    id,
    expect: count === 0 ? null : count,
    incarnation: 1,
    tag: id,
    at: now,
    seenAt: now,
    capUsed: (count + 1) / 1_000_000,
    phase: 'dormant',
    riskLevel: 'low',
    blocked: 0,
    capUsedUntil: Date.parse(today) + DAY_MS,
    peak: 0,
    usage: usageOf(count + 1, now, today),
    extras: null,
  }
}

/** The stored usage of a user with a cap, as the library writes it. */
function usageOf(used: number, now: number, today: string): string {
  const windows = [{ name: today, from: now, used }]
  return JSON.stringify({ v: 1, seenAt: now, counters: [{ name: 'daily', of: 'turns day', windows }] })
}
