import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Admission } from '../../src/ledger/decide/admission.ts'
import { admitForTicket, admitTurn, DRIVERS, openLedgerHarness } from '../support/ledger-harness.ts'

const HOUR_MS = 3_600_000
const by = { actor: 'ana', reason: 'test' }
const countAllowed = (admissions: readonly Admission[]): number => admissions.filter((one) => one.allowed).length

describe('admit', () => {
  it('returns the quota with a ticket or a reason (BL-26)', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 2 })
    const ann = harness.user('ann')
    const first = await ann.admit()
    assert.deepEqual(
      { ...first, ticket: undefined },
      {
        allowed: true,
        ticket: undefined,
        remaining: 1,
        cap: 2,
        count: 1,
        resetAt: '2026-03-11T00:00:00.000Z',
        model: null,
        downgradedBy: null,
      },
    )
    await ann.admit()
    assert.deepEqual(await ann.admit(), {
      allowed: false,
      reason: 'daily_cap',
      retryAfterMs: 12 * HOUR_MS,
      remaining: 0,
      cap: 2,
      count: 2,
      resetAt: '2026-03-11T00:00:00.000Z',
    })
  })

  it('returns the ticket as a plain property', async () => {
    await using harness = await openLedgerHarness()
    const admission = await harness.user('ann').admit()
    assert.equal(typeof Object.getOwnPropertyDescriptor(admission, 'ticket')?.value, 'string')
  })

  it('rejects costs that are not integers of 0 or more', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    for (const cost of [-1, 1.5, Number.NaN, '1', 1e10])
      await assert.rejects(ann.admit({ cost: cost as number }), { code: 'argument_invalid' })
    await assert.rejects(ann.admit({ costs: 1 } as never), { code: 'option_unknown', hint: "Did you mean 'cost'?" })
    assert.equal((await ann.bond()).exists, false)
  })

  it('an aborted call rejects with the reason of its signal and counts nothing', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const reason = new Error('aborted')
    await assert.rejects(ann.admit({ signal: AbortSignal.abort(reason) }), reason)
    const controller = new AbortController()
    const queued = ann.admit({ signal: controller.signal })
    controller.abort(reason)
    await assert.rejects(queued, reason)
    await ann.admit()
    assert.equal((await ann.quota()).count, 1)
  })

  it('reads do not create a user (RC-D08, BL-D06)', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 1 })
    const unknown = harness.user('unknown')
    await unknown.bond()
    await unknown.quota()
    await unknown.events()
    assert.deepEqual((await harness.ledger.users()).users, [])
    assert.equal((await harness.ledger.overview()).users, 0)
  })
})

describe('concurrent admissions', () => {
  for (const driver of DRIVERS) {
    it(`the first concurrent requests of an unknown user do not exceed the default cap, on ${driver} (BL-D03)`, async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: 3 })
      const ann = harness.user('ann')
      const admissions = await Promise.all(Array.from({ length: 64 }, () => ann.admit()))
      assert.equal(countAllowed(admissions), 3)
      assert.equal((await ann.quota()).count, 3)
    })
  }

  it('two processes do not exceed the cap, and a refusal respects a raised cap (BL-D03, BL-D04)', async () => {
    await using one = await openLedgerHarness({ dailyCap: 3 })
    await using two = await one.openPeer()
    const admissions = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? one : two).user('ann').admit()),
    )
    assert.equal(countAllowed(admissions), 3)
    await two.user('ann').setDailyCap(4, by)
    assert.equal((await one.user('ann').admit()).allowed, true)
    assert.equal((await one.user('ann').admit()).allowed, false)
  })

  it('a block that has ended is no longer part of the bond', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 5 })
    const ann = harness.user('ann')
    await ann.block({ ...by, until: '2026-03-10T13:00:00Z' })
    assert.equal((await ann.admit()).allowed, false)
    assert.equal((await ann.bond()).blocked?.until, '2026-03-10T13:00:00.000Z')
    harness.clock.advance(HOUR_MS)
    assert.equal((await ann.admit()).allowed, true)
    assert.equal((await ann.bond()).blocked, null)
  })
})

describe('idempotency keys of admissions', () => {
  it('the same key is counted once; other arguments are a conflict; a refusal is not stored', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 1 })
    const ann = harness.user('ann')
    const repeats = await Promise.all(Array.from({ length: 50 }, () => ann.admit({ idempotencyKey: 'k' })))
    for (const repeat of repeats) assert.deepEqual(repeat, repeats[0])
    assert.equal((await ann.quota()).count, 1)
    await assert.rejects(ann.admit({ idempotencyKey: 'k', cost: 2 }), { code: 'idempotency_conflict' })
    assert.equal((await ann.admit({ idempotencyKey: 'later' })).allowed, false)
    await ann.setDailyCap(2, by)
    assert.equal((await ann.admit({ idempotencyKey: 'later' })).allowed, true)
  })

  it('a key expires after 24 hours', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    await ann.admit({ idempotencyKey: 'k' })
    harness.clock.advance(24 * HOUR_MS - 1)
    await ann.admit({ idempotencyKey: 'k' })
    assert.equal((await ann.quota()).count, 0)
    harness.clock.advance(1)
    await ann.admit({ idempotencyKey: 'k' })
    assert.equal((await ann.quota()).count, 1)
  })

  it('the repeat of a turn closes the ticket of the first attempt, whichever process closes it', async () => {
    await using one = await openLedgerHarness({ dailyCap: 5 })
    await using two = await one.openPeer()
    await one.user('ann').admit()
    await two.user('ann').bond()
    const options = { idempotencyKey: 'k', request: { model: 'm' } }
    const turns = await Promise.all([one, two].map((harness) => admitTurn(harness.internalUser('ann'), options)))
    const [first, second] = turns.map((turn) => (turn.allowed ? turn : assert.fail('The turn was refused.')))
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(first.admission.ticket, second.admission.ticket)
    second.settle({ inputTokens: 1 })
    assert.equal((await two.user('ann').quota()).count, 2)
    first.refund()
    assert.equal((await one.user('ann').quota()).count, 2)
  })

  it('the repeat of a turn is refused for a user who was blocked since', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 5 })
    const ann = harness.internalUser('ann')
    const options = { idempotencyKey: 'k', request: { model: 'm' } }
    assert.equal((await admitTurn(ann, options)).allowed, true)
    assert.equal((await admitTurn(ann, options)).allowed, true)
    await ann.api.block(by)
    const refused = await admitTurn(ann, options)
    assert.equal(!refused.allowed && refused.reason, 'blocked')
    await assert.rejects(admitTurn(ann, { ...options, request: {} }), { code: 'idempotency_conflict' })
  })
})

describe('the public ledger', () => {
  it('has the documented methods and no others', async () => {
    await using harness = await openLedgerHarness()
    assert.deepEqual(Object.keys(harness.user('ann')).toSorted(), [
      'addNote',
      'admit',
      'block',
      'bond',
      'claim',
      'correct',
      'events',
      'limits',
      'notes',
      'observe',
      'quota',
      'record',
      'refund',
      'resetLimit',
      'setDailyCap',
      'setLimit',
      'setOwnLimit',
      'setPlan',
      'setTimeZone',
      'settle',
      'unblock',
      'verify',
    ])
  })

  it('does not accept a ticket as an object', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const ticket = { id: 'x', incarnation: 1, window: '2026-03-10', cost: 1, issuedAt: harness.clock.now() }
    await ann.admit()
    await assert.rejects(ann.refund(ticket as never), { code: 'ticket_invalid' })
    assert.equal(await ann.refund(await admitForTicket(ann)), true)
  })
})
