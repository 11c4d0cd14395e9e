import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstIdAt } from '../../src/core/time-ordered-id.ts'
import type { LedgerRules } from '../../src/ledger/rules.ts'
import { createTurnSweeper } from '../../src/ledger/turns/sweep-turns.ts'
import type { Recorded } from '../../src/storage/commit.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/index.ts'
import { ann, bob, mustCommit, NAMESPACE } from '../../src/testing/store-contract/samples.ts'
import { openTestStore } from '../support/test-store.ts'

/* Old records and sums are removed in slices. Between two of them, everything else that waits for the store is done. */

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const SLICE_ROWS = 500
const PAUSE_MS = 20
const OLD_TURNS = 2_700
const OLD_SUMS = 1_100
const rules = { keepTurns: { maxAgeMs: 30 * DAY_MS, maxPerUser: null } } as LedgerRules

const idAt = (epochMs: number, index: number): string => `${firstIdAt(epochMs)}-7${String(index).padStart(5, '0')}`

function record(now: number, { turns, sums }: { readonly turns: number; readonly sums: number }): Recorded {
  const row = (index: number) => ({ day: '2024-12-31', hour: index, key: '[]', amounts: [1, 0, 0, 0, 0, 0, 0, 0] })
  return {
    turns: Array.from({ length: turns }, (_, index) => ({
      id: idAt(now - 31 * DAY_MS, index),
      outcome: 'completed',
      value: '[1]',
    })),
    userSums: Array.from({ length: sums / 2 }, (_, index) => row(index)),
    sums: Array.from({ length: sums / 2 }, (_, index) => row(index)),
  }
}

/** Resolves to the revision of Bob. */
async function fill(store: Store, now: number): Promise<number> {
  await mustCommit(store, ann, { recorded: record(now, { turns: OLD_TURNS, sums: OLD_SUMS }) })
  const fresh = { id: idAt(now - 29 * DAY_MS, 0), outcome: 'completed', value: '[1]' }
  const sum = { day: '2026-02-01', hour: 1, key: '[]', amounts: [1, 0, 0, 0, 0, 0, 0, 0] }
  return mustCommit(store, bob, { recorded: { turns: [fresh], userSums: [sum], sums: [sum] } })
}

/** The slices of a store as they begin, and the rows that each has removed. */
function watchSlices(store: Store, clock: HandClock): { readonly watched: Store; readonly slices: Slice[] } {
  const slices: Slice[] = []
  const watch =
    (sweep: Store['turns']['sweep']): Store['turns']['sweep'] =>
    async (...args) => {
      const slice: Slice = { beganAt: clock.monotonic(), limit: args[2], rows: undefined }
      slices.push(slice)
      slice.rows = await sweep(...args)
      return slice.rows
    }
  const watched: Store = {
    ...store,
    turns: { ...store.turns, sweep: watch(store.turns.sweep) },
    sums: { ...store.sums, sweep: watch(store.sums.sweep) },
  }
  return { watched, slices }
}

interface Slice {
  readonly beganAt: number
  readonly limit: number
  /** Undefined while it runs. */
  rows: number | undefined
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settle()
}

test('a sweep removes what is old, slice by slice, and commits are written between and during slices', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  const store = await openTestStore(clock)
  let revision = await fill(store, clock.now())
  const commit = async (): Promise<void> => {
    revision = await mustCommit(store, bob, { expect: revision, tag: null })
  }
  const { watched, slices } = watchSlices(store, clock)
  const sweeper = createTurnSweeper({ store: watched, effects: clock, rules }, NAMESPACE)
  let isDone = false
  const sweep = sweeper.sweep().finally(() => {
    isDone = true
  })
  const isIdle = (): boolean => slices.length > 0 && slices.every(({ rows }) => rows !== undefined)
  while (!isDone) {
    // A commit that comes during a slice waits for that one only.
    await Promise.all([until(() => isDone || isIdle()), commit()])
    await settle()
    // A slice that removes nothing is followed by one of the sums at once, or is the last one.
    if (isDone || !isIdle() || slices.at(-1)?.rows === 0) continue
    const count = slices.length
    await commit()
    await settle()
    assert.equal(slices.length, count, 'a slice without a pause')
    await clock.pass(PAUSE_MS)
  }
  await sweep
  assert.ok(slices.every(({ rows = 0, limit }) => rows <= SLICE_ROWS && limit === SLICE_ROWS))
  const removed = slices.reduce((sum, { rows = 0 }) => sum + rows, 0)
  assert.equal(removed, OLD_TURNS + OLD_SUMS)
  const pauses = slices
    .slice(1)
    .map(({ beganAt }, index) => ({ rows: slices[index]?.rows, ms: beganAt - (slices[index]?.beganAt ?? 0) }))
  for (const { rows, ms } of pauses) assert.ok(rows === 0 || ms >= PAUSE_MS, `${ms} ms`)
  const ALL = { order: 'ascending', limit: 10 } as const
  assert.equal((await store.turns.ofNamespace(NAMESPACE, ALL)).length, 1)
  const page = { from: '2000-01-01', to: '9999-01-01', limit: 10 }
  assert.equal((await store.sums.ofNamespace(NAMESPACE, page)).length, 1)
  assert.equal((await store.sums.ofUser(ann, page)).length, 0)
  await sweeper.close()
})

test('a sweep runs every hour, ends when it is closed, and goes on after a failure of the store', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  const store = await openTestStore(clock)
  await fill(store, clock.now())
  let fails = true
  const { watched, slices } = watchSlices(
    {
      ...store,
      turns: {
        ...store.turns,
        sweep: (...args) => (fails ? Promise.reject(new Error('down')) : store.turns.sweep(...args)),
      },
    },
    clock,
  )
  const sweeper = createTurnSweeper({ store: watched, effects: clock, rules }, NAMESPACE)
  assert.equal(slices.length, 0)
  await clock.pass(HOUR_MS)
  assert.equal(slices.length, 1)
  fails = false
  await clock.pass(HOUR_MS)
  await until(() => slices[1]?.rows !== undefined)
  assert.equal(slices[1]?.rows, SLICE_ROWS)
  await sweeper.close()
  await clock.pass(2 * HOUR_MS)
  assert.equal(slices.length, 2)
  assert.equal((await store.turns.ofUser(ann, { order: 'ascending', limit: 10_000 })).length, OLD_TURNS - SLICE_ROWS)
})
