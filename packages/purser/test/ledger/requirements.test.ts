import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSubject } from '../../src/core/subject.ts'
import { PurserError } from '../../src/errors.ts'
import { decodeRow } from '../../src/journal/snapshot.ts'
import { ledgerFold } from '../../src/ledger/bond.ts'
import { DEFAULTS } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { rulesWith } from '../support/compiled-rules.ts'
import { DRIVERS, openLedgerHarness } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'test' }

describe('the bond', () => {
  it('has all its fields, with their defaults and no invented dates (BL-01, BL-09, BL-10, BL-D18)', async () => {
    await using harness = await openLedgerHarness()
    assert.deepEqual(await harness.user('ann').bond(), {
      user: 'ann',
      exists: false,
      version: 0,
      phase: 'dormant',
      previousPhase: 'dormant',
      archetype: 'unknown',
      phaseEnteredAt: null,
      turnCount: 0,
      peaks: {},
      riskLevel: 'low',
      dailyCap: 0,
      capOrigin: 'default',
      plan: null,
      planOrigin: 'default',
      dailyCount: 0,
      windowResetAt: null,
      blocked: null,
      eggStatus: 'none',
      notesCount: 0,
      timeZone: 'UTC',
      createdAt: null,
      lastSeenAt: null,
      updatedAt: null,
      head: null,
    })
  })

  it('is stamped by every write (BL-11)', async () => {
    await using harness = await openLedgerHarness()
    await harness.user('ann').admit()
    harness.clock.advance(60_000)
    const { createdAt, lastSeenAt, updatedAt } = await harness.user('ann').setDailyCap(3, by)
    assert.deepEqual(
      [createdAt, lastSeenAt, updatedAt],
      ['2026-03-10T12:00:00.000Z', '2026-03-10T12:00:00.000Z', '2026-03-10T12:01:00.000Z'],
    )
  })

  it('takes every field of a detection, which returns all events it made (BL-15, BL-22)', async () => {
    await using harness = await openLedgerHarness()
    const { bond, events } = await harness.user('ann').observe({
      phase: 'warm',
      riskLevel: 'high',
      archetype: 'seeker',
      eggStatus: 'laid',
      confidence: 0.5,
      primarySignal: 'x',
      turnCount: 7,
    })
    assert.deepEqual(
      [bond.phase, bond.riskLevel, bond.archetype, bond.eggStatus, bond.turnCount],
      ['warm', 'high', 'seeker', 'laid', 7],
    )
    assert.deepEqual(events, (await harness.user('ann').events()).toReversed())
  })

  it('is not changed by reading the quota (BL-23)', async () => {
    await using harness = await openLedgerHarness({ dailyCap: 1 })
    const ann = harness.user('ann')
    for (let read = 0; read < 5; read++) assert.equal((await ann.quota()).remaining, 1)
    assert.equal((await ann.bond()).exists, false)
  })
})

describe('events', () => {
  it('have time, type, detail and data, and an open set of types (BL-02, BL-03)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    await ann.observe({ phase: 'warm' })
    await ann.record('acme:ulm_spike', { detail: 'A spike.', data: { height: 3 } })
    const [recorded, transition] = await ann.events()
    for (const event of [recorded, transition])
      assert.deepEqual(
        Object.keys(event ?? {})
          .filter((key) => key !== 'actor')
          .sort(),
        ['at', 'data', 'detail', 'id', 'mac', 'sequence', 'type', 'user', 'v'],
      )
    assert.deepEqual([recorded?.type, recorded?.detail, recorded?.data], ['acme:ulm_spike', 'A spike.', { height: 3 }])
  })

  it('are all retained, and there is no cap, unless configured otherwise (BL-05)', () => {
    assert.deepEqual([DEFAULTS.ledger.keepEvents, DEFAULTS.ledger.dailyCap], [null, 0])
  })
})

describe('storage', () => {
  it('is isolated by user id and namespace (BL-04, BL-D10, BL-D12)', async () => {
    await using harness = await openLedgerHarness()
    await using other = await harness.openPeer({ namespace: 'other' })
    await harness.user('ann').addNote('here', by)
    await other.user('ann').addNote('there', by)
    assert.deepEqual(
      (await harness.user('ann').notes()).map(({ text }) => text),
      ['here'],
    )
    assert.equal((await other.ledger.users()).users.length, 1)
    for (const id of ['', undefined, null, 5, '.', 'a\nb'])
      assert.throws(() => createSubject('default', id), { code: 'user_id_invalid' })
  })

  it('reads rows without newer fields with their defaults, and leaves unknown fields alone (BL-07, BL-D11)', () => {
    const fold = ledgerFold(rulesWith())
    const { initial } = fold
    const row = {
      incarnation: 1,
      revision: 1,
      head: null,
      headMac: null,
      stamps: { createdAt: 0, updatedAt: 0, seenAt: null },
      usage: null,
    }
    const decoded = decodeRow(
      { ...row, state: '{"v":1,"phase":"warm","mood":"odd"}', measured: '{"turnCount":3}' },
      fold,
    )
    assert.deepEqual(decoded.state, { ...initial.state, phase: 'warm', mood: 'odd' })
    assert.deepEqual(decoded.measurements, { ...initial.measurements, turnCount: 3 })
    assert.throws(() => decodeRow({ ...row, state: 'x', measured: null }, fold), { code: 'store_damaged' })
  })

  it('tells whether it is durable, and works in memory too (BL-08)', async () => {
    await using memory = await openLedgerHarness()
    await using sqlite = await openLedgerHarness({ driver: 'sqlite' })
    assert.deepEqual([memory.store.traits.durable, sqlite.store.traits.durable], [false, true])
    await memory.user('ann').admit()
    assert.equal((await memory.user('ann').quota()).count, 1)
  })

  for (const driver of DRIVERS) {
    it(`preserves bond, notes, log and count over a restart, on ${driver} (BL-06, BL-10, BL-27, BL-29, BL-32)`, async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: 9 })
      const ann = harness.user('ann')
      await ann.admit({ cost: 2 })
      await ann.observe({ phase: 'warm', archetype: 'seeker' }, { peaks: { joy: 0.5 } })
      for (let note = 0; note < 30; note++) await ann.addNote(`note ${note}`, by)
      await ann.block(by)
      const readAll = async (user: typeof ann): Promise<unknown[]> => [
        await user.bond(),
        await user.events({ limit: 1_000 }),
        await user.notes({ limit: 1_000 }),
        await user.quota(),
      ]
      const before = await readAll(ann)
      await using reopened = await harness.reopen()
      assert.deepEqual(await readAll(reopened.user('ann')), before)
    })
  }

  it('that fails is reported to the caller, without a user id in the message (BL-12, BL-14)', async () => {
    await using harness = await openLedgerHarness()
    await harness.user('ann-of-green-gables').admit()
    const unavailable = async (): Promise<never> => {
      throw new PurserError('store_unavailable', 'The store cannot be read.')
    }
    const users = { ...harness.store.users, load: unavailable, list: unavailable }
    const store: Store = { ...harness.store, users }
    await using peer = await harness.openPeer({ store })
    for (const call of [peer.user('ann-of-green-gables').bond(), Promise.resolve(peer.ledger.users())])
      await assert.rejects(
        call,
        (error: Error) => PurserError.is(error, 'store_unavailable') && !`${error}`.includes('green'),
      )
  })
})
