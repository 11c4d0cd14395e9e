import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { afterCurrentTick } from '../../../src/core/effects.ts'
import type { Subject } from '../../../src/core/subject.ts'
import { openMemoryStore } from '../../../src/drivers/memory/index.ts'
import { type Database, openDatabase } from '../../../src/drivers/sqlite/database.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { pack } from '../../../src/drivers/sqlite/main/packed-commit.ts'
import { prepareSums } from '../../../src/drivers/sqlite/main/sums.ts'
import { prepareTurns } from '../../../src/drivers/sqlite/main/turns.ts'
import { createWriterCalls } from '../../../src/drivers/sqlite/main/writer.ts'
import { migrate } from '../../../src/drivers/sqlite/migrate.ts'
import type { WriterCalls } from '../../../src/drivers/sqlite/worker/threads.ts'
import type { Recorded } from '../../../src/storage/commit.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import { createCommit, createErasure, mustCommit, NAMESPACE } from '../../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

/*
 * Turns that are appended and folded later, by two writers of one file whose folds are interleaved with everything else and
 * end after any slice, are read like those of the memory store, which knows no folds.
 */

const USERS = ['ann', 'bob', 'eve'] as const
const ANY_DAY = { from: '0000', to: '9999', limit: 1_000 }
const ALL = { order: 'ascending', limit: 1_000 } as const

type Step =
  | { readonly kind: 'commit'; readonly writer: 0 | 1; readonly user: number; readonly recorded: Recorded }
  /** Not awaited, so that the next steps are between its slices. */
  | { readonly kind: 'fold'; readonly writer: 0 | 1 }
  | { readonly kind: 'crash'; readonly writer: 0 | 1 }
  | { readonly kind: 'erase'; readonly writer: 0 | 1; readonly user: number; readonly isWiped: boolean }
  | { readonly kind: 'sweep'; readonly writer: 0 | 1; readonly below: number }
  | { readonly kind: 'read' }

const writer = fc.constantFrom(0 as const, 1 as const)
const user = fc.nat(USERS.length - 1)
const sum = fc.record(
  {
    day: fc.constantFrom('2026-03-01', '2026-03-02'),
    hour: fc.nat(1),
    key: fc.constantFrom('a', '["b c","😀"]'),
    amounts: fc.tuple(fc.nat(3), fc.constantFrom(1, '90000000000000000')).map(([a, b]) => [1, a, b, 0, 0, 0, 0, 2]),
  },
  { noNullPrototype: true },
)
/** Ids that rise and fall. */
const turn = fc.record({ id: fc.nat(9), outcome: fc.constantFrom('completed', 'failed') })
const recorded = fc
  .record({
    turns: fc.array(turn, { maxLength: 3 }),
    keepTurns: fc.constantFrom(undefined, undefined, 0, 1, 3),
    userSums: fc.array(sum, { maxLength: 2 }),
    sums: fc.array(sum, { maxLength: 2 }),
    isOneList: fc.boolean(),
  })
  .map(({ turns, isOneList, ...rest }) => ({
    ...rest,
    // Each id is used once, as a step makes it unique.
    turns: turns.map(({ id, outcome }) => ({ id: String(id), outcome, value: '[1]' })),
    ...(isOneList ? { sums: rest.userSums } : {}),
  }))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('commit' as const), writer, user, recorded }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('fold' as const), writer }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), writer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('erase' as const), writer, user, isWiped: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const), writer, below: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const) }) },
)

/** A writer whose connection is in this thread. */
interface LocalWriter {
  readonly database: Database
  readonly calls: WriterCalls
}

async function createFile(path: string): Promise<void> {
  const { connection } = await openDatabase({ path, profile: 'durable' })
  migrate(connection)
  connection.close()
}

async function openWriter(path: string): Promise<LocalWriter> {
  const database = await openDatabase({ path, profile: 'durable' })
  database.connection.exec('PRAGMA synchronous = OFF')
  const limits = { maxWaiting: 5, maxWaitMs: 600_000, sliceTurns: 2 }
  return { database, calls: createWriterCalls(database, limits) }
}

const subject = (index: number): Subject => ({ namespace: NAMESPACE, id: USERS[index] ?? '' })

class TwoWriters {
  readonly #path: string
  readonly #writers: LocalWriter[]
  readonly #model: Store
  readonly #incarnations = USERS.map(() => 1)
  readonly #revisions: (number | null)[] = USERS.map(() => null)
  #ids = 0

  constructor(path: string, writers: LocalWriter[], model: Store) {
    this.#path = path
    this.#writers = writers
    this.#model = model
  }

  async run(next: Step): Promise<void> {
    if (next.kind === 'read') return this.compare()
    const { calls, database } = this.#writers[next.writer] as LocalWriter
    if (next.kind === 'commit') await this.#commit(calls, next)
    else if (next.kind === 'erase') await this.#erase(next, calls)
    else if (next.kind === 'sweep') {
      // The number may differ: turns of erased users that are not wiped yet are removed as well.
      await calls.sweepTurns(NAMESPACE, String(next.below), 1_000)
      await this.#model.turns.sweep(NAMESPACE, String(next.below), 1_000)
    } else if (next.kind === 'fold') calls.foldTurns().catch(() => undefined)
    else {
      // What was not committed by now is lost, as by a crash.
      database.connection.close()
      this.#writers[next.writer] = await openWriter(this.#path)
    }
  }

  async #commit(
    calls: WriterCalls,
    { user: index, recorded: asked }: Extract<Step, { kind: 'commit' }>,
  ): Promise<void> {
    const turns = asked.turns.map((one) => ({ ...one, id: `${one.id}-${String(this.#ids++).padStart(4, '0')}` }))
    const expect = this.#revisions[index] ?? null
    const incarnation = this.#incarnations[index] ?? 1
    const commit = createCommit(subject(index), { expect, incarnation, recorded: { ...asked, turns } })
    assert.deepEqual(await calls.commitAll([pack(subject(index), commit)]), [true])
    const outcome = await this.#model.users.commit(subject(index), commit)
    this.#revisions[index] = outcome.ok ? outcome.revision : null
  }

  async #erase({ user: index, isWiped }: Extract<Step, { kind: 'erase' }>, calls: WriterCalls): Promise<void> {
    if (this.#revisions[index] === null) return
    const erasure = await createErasure(this.#model, subject(index), this.#incarnations[index])
    const uid = this.#uidOf(index)
    const counts = await calls.erase(subject(index), erasure)
    const expected = await this.#model.users.erase(subject(index), erasure)
    assert.ok(counts !== undefined && expected.ok)
    assert.deepEqual([counts.turns, counts.usage], [expected.counts.turns, expected.counts.usage])
    this.#incarnations[index] = (this.#incarnations[index] ?? 1) + 1
    this.#revisions[index] = null
    if (isWiped) {
      while ((await calls.wipe(uid, 3)) === 3);
      for (const table of ['turns', 'turns_by_user', 'user_sums'])
        assert.equal(this.#count(`${table} WHERE uid = ${uid}`), 0, table)
    }
  }

  #count(from: string): number {
    const { connection } = (this.#writers[0] as LocalWriter).database
    return Number(connection.prepare(`SELECT count(*) AS rows FROM ${from}`).get()?.rows)
  }

  #uidOf(index: number): number {
    const { connection } = (this.#writers[0] as LocalWriter).database
    return Number(connection.prepare('SELECT uid FROM users WHERE id = ?').get(subject(index).id)?.uid)
  }

  async compare(): Promise<void> {
    const { calls, database } = this.#writers[1] as LocalWriter
    await calls.foldTurns()
    const { turnsOfUser, turnsOfNamespace } = prepareTurns(database.connection)
    const sums = prepareSums(database.connection)
    const { turns, sums: expected } = this.#model
    for (const [index] of USERS.entries()) {
      assert.deepEqual(turnsOfUser(subject(index), ALL), await turns.ofUser(subject(index), ALL))
      assert.deepEqual(sums.sumsOfUser(subject(index), ANY_DAY), await expected.ofUser(subject(index), ANY_DAY))
    }
    assert.deepEqual(turnsOfNamespace(NAMESPACE, ALL), await turns.ofNamespace(NAMESPACE, ALL))
    const failed = { ...ALL, outcome: 'failed' }
    assert.deepEqual(turnsOfNamespace(NAMESPACE, failed), await turns.ofNamespace(NAMESPACE, failed))
    assert.deepEqual(sums.sumsOfNamespace(NAMESPACE, ANY_DAY), await expected.ofNamespace(NAMESPACE, ANY_DAY))
    const rows = ['turns', 'turns_by_user', 'turns_by_id'].map((table) => this.#count(table))
    assert.equal(new Set(rows).size, 1, `each turn has its two entries: ${rows}`)
    assert.equal(this.#count('turns WHERE position > (SELECT folded FROM turn_fold)'), 0)
  }

  async close(): Promise<void> {
    await Promise.all(this.#writers.map(({ calls }) => calls.close()))
    await this.#model.close()
  }
}

test('two writers that fold in slices, crash and erase return what the memory store returns', async () => {
  printSeed('folds of turns')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), async (steps) => {
      const path = temporaryPath()
      await createFile(path)
      const model = await openMemoryStore({ effects: handClock() })
      const writers = new TwoWriters(path, [await openWriter(path), await openWriter(path)], model)
      for (const next of steps) await writers.run(next)
      await writers.compare()
      await writers.close()
    }),
    { seed, numRuns: rounds(1_500, 25) },
  )
})

test('turns are folded when enough of them wait, without a read', async () => {
  const path = temporaryPath()
  await createFile(path)
  const { database, calls } = await openWriter(path)
  const turns = ['1', '2', '3', '4', '5'].map((id) => ({ id, outcome: 'completed', value: '[1]' }))
  const commit = createCommit(subject(0), { recorded: { turns, userSums: [], sums: [] } })
  assert.deepEqual(await calls.commitAll([pack(subject(0), commit)]), [true])
  const entries = database.prepare('SELECT count(*) AS rows FROM turns_by_user')
  for (let ticks = 0; ticks < 10_000 && entries.get()?.rows !== 5; ticks++)
    await new Promise<void>((resolve) => afterCurrentTick(resolve))
  assert.equal(entries.get()?.rows, 5)
  await calls.close()
})

test('another process reads turns and sums that the one that appended them has not folded', async () => {
  const path = temporaryPath()
  const [one, other] = await Promise.all([1, 2].map(() => openSqliteStore({ path, effects: handClock() })))
  assert.ok(one !== undefined && other !== undefined)
  const turns = [{ id: '1', outcome: 'completed', value: '[1]' }]
  const sums = [{ day: '2026-03-01', hour: 1, key: 'k', amounts: [1, 0, 0, 0, 0, 0, 0, 0] }]
  await mustCommit(one, subject(0), { recorded: { turns, userSums: sums, sums } })
  assert.deepEqual(await other.sums.ofNamespace(NAMESPACE, ANY_DAY), sums)
  assert.deepEqual(await other.turns.ofUser(subject(0), ALL), turns)
  await Promise.all([one.close(), other.close()])
})
