import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Admission } from '../../src/ledger/decide/admission.ts'
import type { Store } from '../../src/storage/store.ts'
import { DRIVERS, erase, openHouse, ticketOf } from '../support/ledger-harness.ts'

const HOUR = 3_600_000
const by = { actor: 'ana', reason: 'test' }
const allowed = (admissions: readonly Admission[]): number => admissions.filter((one) => one.allowed).length

describe('admission', () => {
  it('says that what costs more than the whole cap can never succeed', async () => {
    for (const window of ['day', 'rolling24h'] as const) {
      await using house = await openHouse({ dailyCap: 3, window })
      for (let used = 0; used < 2; used++) {
        const refused = await house.of('ann').admit({ cost: 5 })
        assert.equal(!refused.allowed && refused.retryAfterMs, null, window)
        await house.of('ann').admit()
      }
    }
  })

  it('counts up to the cap and then refuses with the instant of the reset (BL-26)', async () => {
    await using house = await openHouse({ dailyCap: 2 })
    const ann = house.of('ann')
    const first = await ann.admit()
    assert.deepEqual(
      { ...first, ticket: undefined },
      { allowed: true, ticket: undefined, remaining: 1, cap: 2, count: 1, resetAt: '2026-03-11T00:00:00.000Z' },
    )
    await ann.admit()
    assert.deepEqual(await ann.admit(), {
      allowed: false,
      reason: 'daily_cap',
      retryAfterMs: 12 * HOUR,
      remaining: 0,
      cap: 2,
      count: 2,
      resetAt: '2026-03-11T00:00:00.000Z',
    })
  })

  it('is unlimited at cap 0, and counts all the same (BL-24)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    await ann.admit({ cost: 5 })
    assert.deepEqual(await ann.quota(), { remaining: -1, cap: 0, count: 5, resetAt: null })
  })

  it('a refusal costs nothing, and a smaller cost still fits', async () => {
    await using house = await openHouse({ dailyCap: 5 })
    const ann = house.of('ann')
    await ann.admit({ cost: 4 })
    assert.equal((await ann.admit({ cost: 2 })).allowed, false)
    assert.equal((await ann.quota()).count, 4)
    assert.equal((await ann.admit({ cost: 1 })).allowed, true)
  })

  it('refuses costs that are no whole numbers of 1 or more', async () => {
    await using house = await openHouse()
    for (const cost of [0, -1, 1.5, Number.NaN, '1', 1e10])
      await assert.rejects(house.of('ann').admit({ cost: cost as number }), { code: 'argument_invalid' })
    await assert.rejects(house.of('ann').admit({ costs: 1 } as never), {
      code: 'option_unknown',
      hint: "Did you mean 'cost'?",
    })
    assert.equal((await house.of('ann').bond()).exists, false)
  })

  it('a new window begins at the end of the old one, and is not reopened by a clock that goes back (BL-25, BL-D09)', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const ann = house.of('ann')
    await ann.admit()
    house.clock.advance(12 * HOUR - 1)
    assert.equal((await ann.admit()).allowed, false)
    house.clock.advance(1)
    assert.equal((await ann.admit()).allowed, true)
    house.clock.stepWall(-3 * HOUR)
    assert.equal((await ann.admit()).allowed, false)
    assert.equal((await ann.quota()).resetAt, '2026-03-12T00:00:00.000Z')
    house.clock.stepWall(-48 * HOUR)
    assert.equal((await ann.admit()).allowed, false)
  })

  for (const driver of DRIVERS) {
    it(`the default cap holds in the first concurrent requests of a user never seen before, on ${driver} (L2, BL-D03)`, async () => {
      await using house = await openHouse({ driver, dailyCap: 3 })
      const admissions = await Promise.all(Array.from({ length: 64 }, () => house.of('new').admit()))
      assert.equal(allowed(admissions), 3)
      assert.equal((await house.of('new').quota()).count, 3)
    })
  }

  it('two journals on one store do not overshoot, and a raised cap is seen by the next refusal (BL-D03, BL-D04)', async () => {
    await using one = await openHouse({ dailyCap: 3 })
    await using two = await openHouse({ dailyCap: 3, store: one.store, clock: one.clock })
    const admissions = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? one : two).of('ann').admit()),
    )
    assert.equal(allowed(admissions), 3)
    await two.of('ann').setDailyCap(4, by)
    assert.equal((await one.of('ann').admit()).allowed, true)
    assert.equal((await one.of('ann').admit()).allowed, false)
  })

  it('a blocked user is refused until the block is over or lifted', async () => {
    await using house = await openHouse({ dailyCap: 5 })
    const ann = house.of('ann')
    await ann.block({ ...by, until: '2026-03-10T13:00:00Z' })
    const refused = await ann.admit()
    assert.equal(!refused.allowed && refused.reason, 'blocked')
    assert.equal(!refused.allowed && refused.retryAfterMs, HOUR)
    assert.equal((await ann.bond()).blocked?.until, '2026-03-10T13:00:00.000Z')
    house.clock.advance(HOUR)
    assert.equal((await ann.admit()).allowed, true)
    assert.equal((await ann.bond()).blocked, null)
    await ann.block(by)
    const again = await ann.admit()
    assert.equal(!again.allowed && again.retryAfterMs, null)
    await ann.unblock({ actor: 'ana' })
    assert.equal((await ann.admit()).allowed, true)
  })

  it('the same idempotency key is counted once, another body is a conflict, a refusal is not remembered (L7)', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const ann = house.of('ann')
    const twins = await Promise.all(Array.from({ length: 50 }, () => ann.admit({ idempotencyKey: 'k' })))
    for (const twin of twins) assert.deepEqual(twin, twins[0])
    assert.equal((await ann.quota()).count, 1)
    await assert.rejects(ann.admit({ idempotencyKey: 'k', cost: 2 }), { code: 'idempotency_conflict' })
    assert.equal((await ann.admit({ idempotencyKey: 'later' })).allowed, false)
    await ann.setDailyCap(2, by)
    assert.equal((await ann.admit({ idempotencyKey: 'later' })).allowed, true)
  })

  it('an idempotency key is forgotten after 24 hours', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    await ann.admit({ idempotencyKey: 'k' })
    house.clock.advance(24 * HOUR - 1)
    await ann.admit({ idempotencyKey: 'k' })
    assert.equal((await ann.quota()).count, 0)
    house.clock.advance(1)
    await ann.admit({ idempotencyKey: 'k' })
    assert.equal((await ann.quota()).count, 1)
  })

  it('an aborted call rejects with its reason and counts nothing', async () => {
    await using house = await openHouse()
    const reason = new Error('gone')
    await assert.rejects(house.of('ann').admit({ signal: AbortSignal.abort(reason) }), reason)
    const controller = new AbortController()
    const waiting = house.of('ann').admit({ signal: controller.signal })
    controller.abort(reason)
    await assert.rejects(waiting, reason)
    await house.of('ann').admit()
    assert.equal((await house.of('ann').quota()).count, 1)
  })

  it('reading creates nobody (RC-D08, BL-D06)', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    await house.of('ghost').bond()
    await house.of('ghost').quota()
    await house.of('ghost').events()
    assert.deepEqual((await house.ledger.users()).users, [])
    assert.equal((await house.ledger.overview()).users, 0)
  })
})

describe('rolling 24 hours', () => {
  const order = { dailyCap: 3, window: 'rolling24h', wall: '2026-03-10T12:00:30Z' } as const

  it('gives a place back a full 24 hours after the minute in which it was taken', async () => {
    await using house = await openHouse(order)
    const ann = house.of('ann')
    await ann.admit()
    house.clock.advance(HOUR)
    await ann.admit({ cost: 2 })
    const refused = await ann.admit()
    assert.equal(refused.resetAt, '2026-03-11T12:01:00.000Z')
    const two = await ann.admit({ cost: 2 })
    assert.equal(two.resetAt, '2026-03-11T13:01:00.000Z')
    house.clock.setWall('2026-03-11T12:00:59.999Z')
    assert.equal((await ann.admit()).allowed, false)
    house.clock.setWall('2026-03-11T12:01:00Z')
    assert.equal((await ann.admit()).allowed, true)
    assert.equal((await ann.admit()).allowed, false)
  })

  it('is not reopened by a clock that jumps ahead and comes back', async () => {
    await using house = await openHouse(order)
    const ann = house.of('ann')
    house.clock.stepWall(30 * HOUR)
    await ann.admit({ cost: 3 })
    house.clock.stepWall(-30 * HOUR)
    assert.equal((await ann.admit()).allowed, false)
  })
})

describe('tickets', () => {
  it('refunds once, into the window it was counted in (L3)', async () => {
    await using house = await openHouse({ dailyCap: 2 })
    const ann = house.of('ann')
    const ticket = await ticketOf(ann, 2)
    house.clock.advance(12 * HOUR)
    await ann.admit({ cost: 2 })
    assert.equal(await ann.refund(ticket), true)
    assert.equal(await ann.refund(ticket), false)
    assert.deepEqual(await ann.quota(), { remaining: 0, cap: 2, count: 2, resetAt: '2026-03-12T00:00:00.000Z' })
  })

  it('gives a refund of the running window back to its cap', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    const ann = house.of('ann')
    const ticket = await ticketOf(ann)
    assert.equal(await ann.refund(ticket), true)
    assert.equal((await ann.admit()).allowed, true)
    assert.equal((await ann.admit()).allowed, false)
  })

  it('of many parallel refunds and settlements of one ticket exactly one holds', async () => {
    await using house = await openHouse({ dailyCap: 9 })
    const ann = house.of('ann')
    const ticket = await ticketOf(ann)
    const outcomes = await Promise.allSettled(
      [...Array(10).keys()].map((index) => (index % 2 ? ann.refund(ticket) : ann.settle(ticket))),
    )
    const held = outcomes.filter((one) => one.status === 'fulfilled' && one.value !== false)
    assert.equal(held.length, 1)
    await assert.rejects(ann.settle(ticket), { code: 'ticket_used' })
  })

  it('counts tokens where the messages were counted, also after midnight', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const ticket = await ticketOf(ann)
    house.clock.advance(12 * HOUR)
    await ann.admit()
    await ann.settle(ticket, { inputTokens: 7, outputTokens: 3 })
    const counters = []
    for await (const row of ann.exportRows()) if (row.type === 'counter') counters.push(row.value)
    assert.deepEqual(counters, [
      { limit: 'messages', window: '2026-03-10', value: 1 },
      { limit: 'messages', window: '2026-03-11', value: 1 },
      { limit: 'inputTokens', window: '2026-03-10', value: 7 },
      { limit: 'outputTokens', window: '2026-03-10', value: 3 },
    ])
  })

  it('is good in every process, for its own user, unchanged and within seven days', async () => {
    await using one = await openHouse()
    await using two = await openHouse({ store: one.store, clock: one.clock })
    const ticket = await ticketOf(one.of('ann'))
    await assert.rejects(two.of('bob').refund(ticket), { code: 'ticket_invalid' })
    for (const wrong of [`${ticket}x`, `x${ticket}`, '', 'a.b', undefined, 7, 'x'.repeat(600)])
      await assert.rejects(one.of('ann').refund(wrong as string), { code: 'ticket_invalid' })
    assert.equal(await two.of('ann').refund(ticket), true)
    assert.equal(await one.of('ann').refund(ticket), false)
    const late = await ticketOf(one.of('ann'))
    one.clock.advance(7 * 24 * HOUR + 1)
    await assert.rejects(one.of('ann').settle(late), { code: 'ticket_invalid' })
  })

  it('used up elsewhere is used up here, also when nobody read it again and news of it were lost', async () => {
    await using one = await openHouse()
    let reads = 0
    const users: Store['users'] = {
      ...one.store.users,
      record(...asked) {
        reads++
        return one.store.users.record(...asked)
      },
    }
    const deaf: Store = { ...one.store, users, bus: { publish: async () => {}, subscribe: () => () => {} } }
    await using two = await openHouse({ store: deaf, clock: one.clock })
    const ann = two.of('ann')
    await ann.settle(await ticketOf(ann))
    assert.equal(reads, 0, 'what was made here need not be read')
    const [settled, refunded] = [await ticketOf(ann), await ticketOf(ann)]
    await one.of('ann').settle(settled)
    await one.of('ann').refund(refunded)
    await assert.rejects(ann.settle(settled), { code: 'ticket_used' })
    await assert.rejects(ann.settle(refunded), { code: 'ticket_used' })
    assert.equal(await ann.refund(refunded), false)
  })

  it('stays valid however many are open at once', async () => {
    await using house = await openHouse({ dailyCap: 100 })
    const ann = house.of('ann')
    const tickets = await Promise.all(Array.from({ length: 50 }, () => ticketOf(ann)))
    await Promise.all(tickets.map((ticket, index) => (index % 2 ? ann.settle(ticket) : ann.refund(ticket))))
    assert.equal((await ann.quota()).count, 25)
    for (const ticket of tickets) await assert.rejects(ann.settle(ticket), { code: 'ticket_used' })
  })

  it('pays for one turn, and the ticket of a turn for no other', async () => {
    await using house = await openHouse({ dailyCap: 5 })
    const ann = house.of('ann')
    const ticket = await ticketOf(ann)
    const claims = await Promise.allSettled(Array.from({ length: 5 }, () => ann.admitTurn({ ticket })))
    assert.equal(claims.filter((claim) => claim.status === 'fulfilled').length, 1)
    await assert.rejects(ann.claim(ticket), { code: 'ticket_used' })
    await ann.settle(ticket)
    const own = await ann.admitTurn({})
    assert.equal(own.allowed, true)
    await assert.rejects(ann.claim(own.allowed ? own.admission.ticket : ''), { code: 'ticket_used' })
    assert.equal((await ann.quota()).count, 2)
    const other = await ticketOf(ann)
    await ann.block(by)
    const refused = await ann.claim(other)
    assert.equal(!refused.allowed && refused.reason, 'blocked')
  })

  it('is a plain text in what admit gives', async () => {
    await using house = await openHouse()
    const admission = await house.of('ann').admit()
    assert.equal(typeof Object.getOwnPropertyDescriptor(admission, 'ticket')?.value, 'string')
  })

  it('is not good again when a clock that was ahead is put back', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const ticket = await ticketOf(ann)
    await ann.settle(ticket)
    house.clock.stepWall(9 * 24 * HOUR)
    await ann.admit()
    await house.ledger.close()
    house.clock.stepWall(-9 * 24 * HOUR)
    await assert.rejects(ann.settle(ticket), { code: /ticket_(used|invalid)/ })
    await assert.rejects(ann.claim(ticket), { code: /ticket_(used|invalid)/ })
  })

  it('of a turn that was admitted twice under one key is closed once, whichever process closes it', async () => {
    await using one = await openHouse({ dailyCap: 5 })
    await using two = await openHouse({ store: one.store, clock: one.clock, dailyCap: 5 })
    await one.of('ann').admit()
    await two.of('ann').bond()
    const order = { idempotencyKey: 'k', request: { model: 'm' } }
    const turns = await Promise.all([one.of('ann').admitTurn(order), two.of('ann').admitTurn(order)])
    const [first, second] = turns.map((turn) => (turn.allowed ? turn : assert.fail('It was refused.')))
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(first.admission.ticket, second.admission.ticket)
    await second.settle({ inputTokens: 1 })
    await assert.rejects(first.settle({ inputTokens: 1 }), { code: 'ticket_used' })
    assert.equal(await first.refund(), false)
    assert.equal((await one.of('ann').quota()).count, 2)
  })

  it('does not bring an erased person back (decision 5)', async () => {
    await using house = await openHouse()
    const ticket = await ticketOf(house.of('ann'))
    await erase(house, 'ann')
    for (const late of [house.of('ann').settle(ticket), house.of('ann').refund(ticket), house.of('ann').claim(ticket)])
      await assert.rejects(late, { code: 'user_erased' })
    assert.equal((await house.of('ann').bond()).exists, false)
    await house.of('ann').admit()
    await assert.rejects(house.of('ann').settle(ticket), { code: 'user_erased' })
  })

  it('leaves no trace when its window is long over', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    for (let day = 0; day < 10; day++) {
      await ann.settle(await ticketOf(ann))
      house.clock.advance(24 * HOUR)
    }
    await ann.admit()
    await house.ledger.close()
    const traces = await house.store.users.records({ namespace: 'default', id: 'ann' }, 'ticket', {
      limit: 100,
      order: 'ascending',
    })
    assert.equal(traces.length, 7)
  })

  it('leaves no trace either where nobody is ever idle for a day', async () => {
    await using house = await openHouse({ window: 'rolling24h' })
    const ann = house.of('ann')
    for (let hour = 0; hour < 24 * 12; hour++) {
      await ann.settle(await ticketOf(ann))
      house.clock.advance(HOUR)
    }
    await house.ledger.close()
    const traces = await house.store.users.records({ namespace: 'default', id: 'ann' }, 'ticket', {
      limit: 1_000,
      order: 'ascending',
    })
    assert.ok(traces.length <= 7 * 24 + 64, `${traces.length} are left`)
  })
})
