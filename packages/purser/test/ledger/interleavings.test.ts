import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { UserLedger } from '../../src/ledger/api.ts'
import type { Store, UserStore } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { erase, openHouse } from '../support/ledger-harness.ts'

/*
 * Two processes (two journals with memories of their own) work on one user, and the scheduler decides in which order
 * the store answers: every interleaving of reads and commits can come up.
 */

function scheduled(store: Store, scheduler: fc.Scheduler): Store {
  const later =
    <Parameters extends unknown[], Result>(label: string, call: (...parameters: Parameters) => Promise<Result>) =>
    (...parameters: Parameters): Promise<Result> =>
      scheduler.schedule(Promise.resolve(label)).then(() => call(...parameters))
  const users: UserStore = {
    ...store.users,
    load: later('load', store.users.load),
    nextIncarnation: later('nextIncarnation', store.users.nextIncarnation),
    commit: later('commit', store.users.commit),
    record: later('record', store.users.record),
    reply: later('reply', store.users.reply),
  }
  return { ...store, users }
}

type Call = 'admit' | 'twin' | 'refund' | 'warm' | 'cold' | 'note' | 'cap' | 'erase'
const CALLS: readonly Call[] = ['admit', 'twin', 'refund', 'warm', 'cold', 'note', 'cap', 'erase']
const by = { actor: 'ana', reason: 'test' }

describe('interleavings of one user', () => {
  const numRuns = rounds(20_000, 300)
  it(`${numRuns} schedules of two processes keep cap, log and lives whole`, async () => {
    printSeed('interleavings')
    const calls = fc.array(fc.tuple(fc.constantFrom(...CALLS), fc.boolean()), { minLength: 2, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, async (scheduler, plan) => {
        const clock = handClock()
        const plain = await openMemoryStore({ effects: clock })
        await using calm = await openHouse({ store: plain, clock, dailyCap: 3 })
        const first = await calm.of('ann').admit()
        const ticket = first.allowed ? first.ticket : ''
        const store = scheduled(plain, scheduler)
        await using one = await openHouse({ store, clock, dailyCap: 3 })
        await using two = await openHouse({ store, clock, dailyCap: 3 })
        const outcomes: Promise<unknown>[] = []
        let admitted = 0
        const act = async (call: Call, house: typeof one): Promise<unknown> => {
          const ann: UserLedger = house.of('ann')
          if (call === 'erase') return erase(house, 'ann')
          if (call === 'admit' && (await ann.admit()).allowed) admitted++
          if (call === 'twin') return ann.admit({ idempotencyKey: 'k' })
          if (call === 'refund') return ann.refund(ticket)
          if (call === 'warm' || call === 'cold') return ann.observe({ phase: call })
          if (call === 'note') return ann.addNote('x', by)
          return call === 'cap' && ann.setDailyCap(3, by)
        }
        for (const [call, atOne] of plan) outcomes.push(act(call, atOne ? one : two).catch(onlyErased))
        const over = Promise.all(outcomes).then(() => Promise.all([one.ledger.close(), two.ledger.close()]))
        await drive(scheduler, over)
        await checkAfter(calm, plan, { admitted, outcomes })
      }),
      { numRuns, seed },
    )
  })
})

const IDLE_TURNS_MAX = 1_000

/**
 * Lets the store answer, one call after the other, until all is done, also what is done beside the calls and what a
 * ledger that closes waits for. The scheduler's own `waitFor` can miss a call
 * that comes when it has just nothing to do.
 */
async function drive(scheduler: fc.Scheduler, all: Promise<unknown>): Promise<void> {
  let isOver = false
  const over = all.finally(() => {
    isOver = true
  })
  over.catch(() => undefined)
  for (let idleTurns = 0; !isOver; idleTurns++) {
    assert.ok(idleTurns < IDLE_TURNS_MAX, 'nobody goes on')
    for (; scheduler.count() > 0; idleTurns = 0) await scheduler.waitOne()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  await over
}

function onlyErased(error: unknown): void {
  if (!PurserError.is(error, 'user_erased') && !PurserError.is(error, 'store_unavailable')) throw error
}

async function checkAfter(
  house: Awaited<ReturnType<typeof openHouse>>,
  plan: readonly (readonly [Call, boolean])[],
  { admitted, outcomes }: { admitted: number; outcomes: readonly Promise<unknown>[] },
): Promise<void> {
  assert.equal((await house.ledger.verify()).ok, true)
  const erasures = plan.filter(([call]) => call === 'erase').length
  const refunds = (await Promise.all(outcomes)).filter((outcome) => outcome === true).length
  assert.ok(refunds <= 1)
  const bond = await house.of('ann').bond()
  assert.ok(bond.dailyCount <= 3)
  if (erasures > 0) return
  const twins = plan.some(([call]) => call === 'twin')
  assert.ok(admitted <= 2 + refunds, `${admitted} admitted beside the first, ${refunds} refunded`)
  assert.ok(bond.dailyCount >= 1 + admitted - refunds && bond.dailyCount <= 1 + admitted - refunds + (twins ? 1 : 0))
  assert.equal((await house.of('ann').notes()).length, bond.notesCount)
  const phases = (await house.of('ann').events({ types: ['phase_transition'] })).toReversed()
  let from = 'dormant'
  for (const { data } of phases) {
    assert.equal(data.from, from)
    assert.notEqual(data.to, from)
    from = String(data.to)
  }
  assert.equal(bond.phase, from)
}
