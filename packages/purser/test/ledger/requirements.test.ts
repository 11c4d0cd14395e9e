import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSubject } from '../../src/core/subject.ts'
import { PurserError } from '../../src/errors.ts'
import { decodeRow } from '../../src/journal/unit-of-work.ts'
import { ledgerFold } from '../../src/ledger/bond.ts'
import { DEFAULTS } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { DRIVERS, openHouse } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'test' }

describe('what the earlier ledger did', () => {
  it('a bond has all its fields, with their defaults, and no dates that never were (BL-01, BL-09, BL-10, BL-D18)', async () => {
    await using house = await openHouse()
    assert.deepEqual(await house.of('ann').bond(), {
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

  it('an event has time, type, detail and data, of an open set of types (BL-02, BL-03)', async () => {
    await using house = await openHouse()
    await house.of('ann').observe({ phase: 'warm' })
    await house.of('ann').record('acme:ulm_spike', { detail: 'A spike.', data: { height: 3 } })
    const [own, transition] = await house.of('ann').events()
    for (const event of [own, transition])
      assert.deepEqual(
        Object.keys(event ?? {})
          .filter((key) => key !== 'actor')
          .sort(),
        ['at', 'data', 'detail', 'id', 'mac', 'sequence', 'type', 'user', 'v'],
      )
    assert.deepEqual([own?.type, own?.detail, own?.data], ['acme:ulm_spike', 'A spike.', { height: 3 }])
  })

  it('no id of a user can address the rows of another, nor those of the namespace (BL-04, BL-D10, BL-D12)', async () => {
    await using house = await openHouse()
    await using other = await openHouse({ store: house.store, clock: house.clock, namespace: 'other' })
    await house.of('ann').addNote('here', by)
    await other.of('ann').addNote('there', by)
    assert.deepEqual(
      (await house.of('ann').notes()).map(({ text }) => text),
      ['here'],
    )
    assert.equal((await other.ledger.users()).users.length, 1)
    for (const id of ['', undefined, null, 5, '.', 'a\nb'])
      assert.throws(() => createSubject('default', id), { code: 'user_id_invalid' })
  })

  it('keeps every event and sets no cap unless it is told to (BL-05)', () => {
    assert.deepEqual([DEFAULTS.ledger.keepEvents, DEFAULTS.ledger.dailyCap], [null, 0])
  })

  it('what was stored without a field has its default, and what nobody knows is left alone (BL-07, BL-D11)', () => {
    const fold = ledgerFold(DEFAULTS.ledger, 'UTC')
    const row = {
      incarnation: 1,
      revision: 1,
      head: null,
      headMac: null,
      stamps: { createdAt: 0, updatedAt: 0, seenAt: null },
      counters: [],
    }
    const decoded = decodeRow(
      { ...row, state: '{"v":1,"phase":"warm","mood":"odd"}', measured: '{"turnCount":3}' },
      fold,
    )
    assert.deepEqual(decoded.state, { ...fold.initial, phase: 'warm', mood: 'odd' })
    assert.deepEqual(decoded.measured, { ...fold.unmeasured, turnCount: 3 })
    assert.throws(() => decodeRow({ ...row, state: 'x', measured: null }, fold), { code: 'store_damaged' })
  })

  it('says what is only in memory, and works there all the same (BL-08)', async () => {
    await using memory = await openHouse()
    await using sqlite = await openHouse({ driver: 'sqlite' })
    assert.deepEqual([memory.store.traits.durable, sqlite.store.traits.durable], [false, true])
    await memory.of('ann').admit()
    assert.equal((await memory.of('ann').quota()).count, 1)
  })

  for (const driver of DRIVERS) {
    it(`all of a bond, its notes, its log and its count survive a restart, on ${driver} (BL-06, BL-10, BL-27, BL-29, BL-32)`, async () => {
      await using house = await openHouse({ driver, dailyCap: 9 })
      const ann = house.of('ann')
      await ann.admit({ cost: 2 })
      await ann.observe({ phase: 'warm', archetype: 'seeker' }, { peaks: { joy: 0.5 } })
      for (let note = 0; note < 30; note++) await ann.addNote(`note ${note}`, by)
      await ann.block(by)
      const before = [
        await ann.bond(),
        await ann.events({ limit: 1_000 }),
        await ann.notes({ limit: 1_000 }),
        await ann.quota(),
      ]
      await using again = await openHouse({ store: house.store, clock: house.clock, dailyCap: 9 })
      const same = again.of('ann')
      assert.deepEqual(
        [
          await same.bond(),
          await same.events({ limit: 1_000 }),
          await same.notes({ limit: 1_000 }),
          await same.quota(),
        ],
        before,
      )
    })
  }

  it('every write is stamped (BL-11)', async () => {
    await using house = await openHouse()
    await house.of('ann').admit()
    house.clock.advance(60_000)
    const { createdAt, lastSeenAt, updatedAt } = await house.of('ann').setDailyCap(3, by)
    assert.deepEqual(
      [createdAt, lastSeenAt, updatedAt],
      ['2026-03-10T12:00:00.000Z', '2026-03-10T12:00:00.000Z', '2026-03-10T12:01:00.000Z'],
    )
  })

  it('a store that fails is told to the caller, without anybody in the message (BL-12, BL-14)', async () => {
    await using house = await openHouse()
    await house.of('ann-of-green-gables').admit()
    const down = async (): Promise<never> => {
      throw new PurserError('store_unavailable', 'The store cannot be read.')
    }
    const store: Store = { ...house.store, users: { ...house.store.users, load: down, list: down } }
    await using deaf = await openHouse({ store, clock: house.clock })
    for (const call of [deaf.of('ann-of-green-gables').bond(), Promise.resolve(deaf.ledger.users())])
      await assert.rejects(
        call,
        (error: Error) => PurserError.is(error, 'store_unavailable') && !`${error}`.includes('green'),
      )
  })

  it('takes all of a detection and returns every event it made (BL-15, BL-22)', async () => {
    await using house = await openHouse()
    const { bond, events } = await house.of('ann').observe({
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
    assert.deepEqual(events, (await house.of('ann').events()).toReversed())
  })

  it('looking at a quota uses nothing (BL-23)', async () => {
    await using house = await openHouse({ dailyCap: 1 })
    for (let look = 0; look < 5; look++) assert.equal((await house.of('ann').quota()).remaining, 1)
    assert.equal((await house.of('ann').bond()).exists, false)
  })
})
