import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store } from '../../src/storage/store.ts'
import { admitForTicket, admitTurn, type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const by = { actor: 'ana', reason: 'test' }

describe('a ticket', () => {
  it('is valid in every process, for its own user, unchanged and for seven days', async () => {
    await using one = await openLedgerHarness()
    await using two = await one.openPeer()
    const ticket = await admitForTicket(one.user('ann'))
    await assert.rejects(two.user('bob').refund(ticket), { code: 'ticket_invalid' })
    for (const wrong of [`${ticket}x`, `x${ticket}`, '', 'a.b', undefined, 7, 'x'.repeat(600)])
      await assert.rejects(one.user('ann').refund(wrong as string), { code: 'ticket_invalid' })
    assert.equal(await two.user('ann').refund(ticket), true)
    assert.equal(await one.user('ann').refund(ticket), false)
    const late = await admitForTicket(one.user('ann'))
    one.clock.advance(7 * DAY_MS + 1)
    await assert.rejects(one.user('ann').settle(late), { code: 'ticket_invalid' })
  })

  it('is closed by exactly one of many concurrent refunds and settlements', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 9 })
    const ann = harness.user('ann')
    const ticket = await admitForTicket(ann)
    const outcomes = await Promise.allSettled(
      [...Array(10).keys()].map((index) => (index % 2 ? ann.refund(ticket) : ann.settle(ticket))),
    )
    assert.equal(outcomes.filter((one) => one.status === 'fulfilled' && one.value !== false).length, 1)
    await assert.rejects(ann.settle(ticket), { code: 'ticket_used' })
  })

  it('stays valid however many are open', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 100 })
    const ann = harness.user('ann')
    const tickets = await Promise.all(Array.from({ length: 50 }, () => admitForTicket(ann)))
    await Promise.all(tickets.map((ticket, index) => (index % 2 ? ann.settle(ticket) : ann.refund(ticket))))
    assert.equal((await ann.quota()).count, 25)
    for (const ticket of tickets) await assert.rejects(ann.settle(ticket), { code: 'ticket_used' })
  })

  it('pays for one turn, and the ticket of a turn for no other turn', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 5 })
    const ann = harness.user('ann')
    const internal = harness.internalUser('ann')
    const ticket = await admitForTicket(ann)
    const claims = await Promise.allSettled(Array.from({ length: 5 }, () => admitTurn(internal, { ticket })))
    assert.equal(claims.filter((claim) => claim.status === 'fulfilled').length, 1)
    await assert.rejects(ann.claim(ticket), { code: 'ticket_used' })
    await ann.settle(ticket)
    const turn = await admitTurn(internal, {})
    assert.equal(turn.allowed, true)
    await assert.rejects(ann.claim(turn.allowed ? turn.admission.ticket : ''), { code: 'ticket_used' })
    assert.equal((await ann.quota()).count, 2)
    const other = await admitForTicket(ann)
    await ann.block(by)
    const refused = await ann.claim(other)
    assert.equal(!refused.allowed && refused.reason, 'blocked')
  })

  it('is counted in the window of its admission, and exported with it', async () => {
    await using harness = await openLedgerHarness({
      limits: [{ name: 'tokens', measure: 'tokens', max: 100, window: 'day' }],
    })
    const ann = harness.user('ann')
    const ticket = await admitForTicket(ann)
    harness.clock.advance(12 * HOUR_MS)
    await ann.admit()
    await ann.settle(ticket, { inputTokens: 7, outputTokens: 3 })
    const rows = await Array.fromAsync(harness.internalUser('ann').exportRows())
    const daily = { limit: 'daily', measure: 'turns', counts: 'turns day' }
    const tokens = { limit: 'tokens', measure: 'tokens', counts: 'tokens day' }
    assert.deepEqual(
      rows.filter(({ type }) => type === 'counter').map(({ value }) => value),
      [
        { ...daily, window: '2026-03-10', from: '2026-03-10T12:00:00.000Z', value: 1 },
        { limit: 'inputTokens', window: '2026-03-10', value: 7 },
        { limit: 'outputTokens', window: '2026-03-10', value: 3 },
        { ...daily, window: '2026-03-11', from: '2026-03-11T00:00:00.000Z', value: 1 },
        { ...tokens, window: '2026-03-10', from: '2026-03-10T12:00:00.000Z', value: 10 },
        { ...tokens, window: '2026-03-11', from: '2026-03-11T00:00:00.000Z', value: 0 },
      ],
    )
  })
})

describe('a closed ticket', () => {
  it('settled in another process is rejected here even if the bus message was lost', async () => {
    await using one = await openLedgerHarness()
    let reads = 0
    const users: Store['users'] = {
      ...one.store.users,
      record(...args) {
        reads++
        return one.store.users.record(...args)
      },
    }
    const store: Store = { ...one.store, users, bus: { publish: async () => {}, subscribe: () => () => {} } }
    await using two = await one.openPeer({ store })
    const ann = two.user('ann')
    await ann.settle(await admitForTicket(ann))
    assert.equal(reads, 0, 'The record of a ticket issued by this process need not be read.')
    const [settled, refunded] = [await admitForTicket(ann), await admitForTicket(ann)]
    await one.user('ann').settle(settled)
    await one.user('ann').refund(refunded)
    await assert.rejects(ann.settle(settled), { code: 'ticket_used' })
    await assert.rejects(ann.settle(refunded), { code: 'ticket_used' })
    assert.equal(await ann.refund(refunded), false)
  })

  it('does not become valid again when a clock that ran ahead is set back', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const ticket = await admitForTicket(ann)
    await ann.settle(ticket)
    harness.clock.stepWall(9 * DAY_MS)
    await ann.admit()
    await harness.ledger.close()
    harness.clock.stepWall(-9 * DAY_MS)
    await assert.rejects(ann.settle(ticket), { code: /ticket_(used|invalid)/ })
    await assert.rejects(ann.claim(ticket), { code: /ticket_(used|invalid)/ })
  })

  it('does not recreate an erased user', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const ticket = await admitForTicket(ann)
    await harness.erase('ann')
    for (const late of [ann.settle(ticket), ann.refund(ticket), ann.claim(ticket)])
      await assert.rejects(late, { code: 'user_erased' })
    assert.equal((await ann.bond()).exists, false)
    await ann.admit()
    await assert.rejects(ann.settle(ticket), { code: 'user_erased' })
  })
})

describe('records of tickets', () => {
  const records = (harness: LedgerHarness): Promise<readonly unknown[]> =>
    harness.store.users.records({ namespace: 'default', id: 'ann' }, 'ticket', { limit: 1_000, order: 'ascending' })

  it('are removed when their ticket has expired', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    for (let day = 0; day < 10; day++) {
      await ann.settle(await admitForTicket(ann))
      harness.clock.advance(DAY_MS)
    }
    await ann.admit()
    await harness.ledger.close()
    assert.equal((await records(harness)).length, 7)
  })

  it('are removed also for a user who is never idle for a day', async () => {
    await using harness = await openLedgerHarness({ window: 'rolling24h' })
    const ann = harness.user('ann')
    for (let hour = 0; hour < 24 * 12; hour++) {
      await ann.settle(await admitForTicket(ann))
      harness.clock.advance(HOUR_MS)
    }
    await harness.ledger.close()
    const { length } = await records(harness)
    assert.ok(length <= 7 * 24 + 64, `${length} records are left`)
  })
})
