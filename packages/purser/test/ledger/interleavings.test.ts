import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { UserLedger } from '../../src/ledger/api.ts'
import type { Store, UserStore } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { admitForTicket, type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

/*
 * Two processes (two journals with caches of their own) work on one user. The scheduler decides in which order the
 * store completes their calls, so every interleaving of reads and commits can occur.
 */

function schedule(store: Store, scheduler: fc.Scheduler): Store {
  const delayed =
    <Parameters extends unknown[], Result>(label: string, call: (...parameters: Parameters) => Promise<Result>) =>
    (...parameters: Parameters): Promise<Result> =>
      scheduler.schedule(Promise.resolve(label)).then(() => call(...parameters))
  const users: UserStore = {
    ...store.users,
    load: delayed('load', store.users.load),
    nextIncarnation: delayed('nextIncarnation', store.users.nextIncarnation),
    commit: delayed('commit', store.users.commit),
    record: delayed('record', store.users.record),
    reply: delayed('reply', store.users.reply),
  }
  return { ...store, users }
}

const by = { actor: 'ana', reason: 'test' }
const CALLS = {
  admit: async (ann: UserLedger) => ({ admitted: (await ann.admit()).allowed }),
  admitOnce: (ann: UserLedger) => ann.admit({ idempotencyKey: 'k' }),
  refund: async (ann: UserLedger, ticket: string) => ({ refunded: await ann.refund(ticket) }),
  warm: (ann: UserLedger) => ann.observe({ phase: 'warm' }),
  cold: (ann: UserLedger) => ann.observe({ phase: 'cold' }),
  note: (ann: UserLedger) => ann.addNote('x', by),
  cap: (ann: UserLedger) => ann.setDailyCap(3, by),
}
type Call = keyof typeof CALLS | 'erase'
/** A call, and whether the first process makes it. */
type Plan = readonly (readonly [Call, boolean])[]

async function runCall(call: Call, harness: LedgerHarness, ticket: string): Promise<unknown> {
  try {
    return await (call === 'erase' ? harness.erase('ann') : CALLS[call](harness.user('ann'), ticket))
  } catch (error) {
    if (PurserError.is(error, 'user_erased') || PurserError.is(error, 'store_unavailable')) return undefined
    throw error
  }
}

/** Runs the calls of a plan, interleaved by the scheduler, after one admission. */
async function runPlan(scheduler: fc.Scheduler, plan: Plan): Promise<void> {
  const clock = handClock()
  const base = await openMemoryStore({ effects: clock })
  await using observer = await openLedgerHarness({ store: base, clock, dailyCap: 3 })
  const ticket = await admitForTicket(observer.user('ann'))
  await using one = await observer.openPeer({ store: schedule(base, scheduler) })
  await using two = await one.openPeer()
  const outcomes = Promise.all(plan.map(([call, isFirst]) => runCall(call, isFirst ? one : two, ticket)))
  await drive(
    scheduler,
    outcomes.then(() => Promise.all([one.ledger.close(), two.ledger.close()])),
  )
  await checkUser(observer, plan, await outcomes)
}

describe('interleavings of one user', () => {
  const numRuns = rounds(20_000, 300)
  it(`${numRuns} schedules of two processes preserve cap, log and incarnations`, async () => {
    printSeed('interleavings')
    const call = fc.constantFrom<Call>(...(Object.keys(CALLS) as (keyof typeof CALLS)[]), 'erase')
    const plan = fc.array(fc.tuple(call, fc.boolean()), { minLength: 2, maxLength: 12 })
    await fc.assert(fc.asyncProperty(fc.scheduler(), plan, runPlan), { numRuns, seed })
  })
})

const MAX_IDLE_TURNS = 1_000

/**
 * Completes store calls one by one until `work` is done, including background work. The scheduler's own `waitFor` can
 * miss a call that is made when none is pending.
 */
async function drive(scheduler: fc.Scheduler, work: Promise<unknown>): Promise<void> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  done.catch(() => undefined)
  for (let idleTurns = 0; !isDone; idleTurns++) {
    assert.ok(idleTurns < MAX_IDLE_TURNS, 'The work is stuck.')
    for (; scheduler.count() > 0; idleTurns = 0) await scheduler.waitOne()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  await done
}

async function checkUser(harness: LedgerHarness, plan: Plan, outcomes: readonly unknown[]): Promise<void> {
  assert.equal((await harness.ledger.verify()).ok, true)
  const count = (key: 'admitted' | 'refunded'): number =>
    outcomes.filter((outcome) => (outcome as Record<string, unknown> | undefined)?.[key] === true).length
  const [admitted, refunds] = [count('admitted'), count('refunded')]
  assert.ok(refunds <= 1)
  const ann = harness.user('ann')
  const bond = await ann.bond()
  assert.ok(bond.dailyCount <= 3)
  if (plan.some(([call]) => call === 'erase')) return
  const once = plan.some(([call]) => call === 'admitOnce') ? 1 : 0
  const net = 1 + admitted - refunds
  assert.ok(admitted <= 2 + refunds, `${admitted} admitted after the first, ${refunds} refunded`)
  assert.ok(bond.dailyCount >= net && bond.dailyCount <= net + once)
  assert.equal((await ann.notes()).length, bond.notesCount)
  const transitions = (await ann.events({ types: ['phase_transition'] })).toReversed()
  let phase = 'dormant'
  for (const { data } of transitions) {
    assert.equal(data.from, phase)
    assert.notEqual(data.to, phase)
    phase = String(data.to)
  }
  assert.equal(bond.phase, phase)
}
