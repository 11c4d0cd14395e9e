import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store } from '../../src/storage/store.ts'
import { admitForTicket, DRIVERS, openLedgerHarness, recordEvents } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'test' }
const DAY_MS = 86_400_000

for (const driver of DRIVERS) {
  describe(`retention on ${driver} (BL-D15)`, () => {
    it('replaces the oldest events by a tombstone, and chain and state stay valid', async () => {
      await using harness = await openLedgerHarness({ driver, keepEvents: 20 })
      const ann = harness.user('ann')
      await ann.observe({ phase: 'warm', riskLevel: 'high' })
      await ann.setDailyCap(7, by)
      for (let round = 0; round < 12; round++) await recordEvents(ann, 4)
      const events = await ann.events()
      assert.ok(events.length <= 31, `${events.length} events`)
      const [tombstone] = await ann.events({ types: ['retention'], limit: 1 })
      assert.match(tombstone?.detail ?? '', /^\d+ events removed$/)
      assert.equal(events[0]?.sequence, (await ann.bond()).version)
      const { phase, riskLevel, dailyCap } = await ann.bond()
      assert.deepEqual([phase, riskLevel, dailyCap], ['warm', 'high', 7])
      assert.deepEqual(await ann.verify(), { ok: true, checked: events.length })
    })

    it('keeps as many events of the application as are asked for, however few', async () => {
      for (const keepEvents of [1, 2, 5, 19, 20, 40]) {
        await using harness = await openLedgerHarness({ driver, keepEvents })
        const ann = harness.user('ann')
        for (let round = 0; round < 90; round++) {
          await ann.record('acme:said', { data: { round } })
          const events = await ann.events({ limit: 1_000 })
          const own = events.filter(({ type }) => type === 'acme:said')
          const removed = events.length - own.length
          assert.ok(
            own.length >= Math.min(round + 1, keepEvents - 1 - keepEvents / 10),
            `${keepEvents}: ${own.length} of round ${round}`,
          )
          assert.ok(
            removed <= 1 + keepEvents / 2 && events.length <= keepEvents + 12,
            `${keepEvents}: ${events.length}`,
          )
          assert.equal(own[0]?.data.round, round)
        }
        assert.equal((await ann.verify()).ok, true)
      }
    })
  })
}

describe('retention', () => {
  it('does not recreate a user who is erased during it', async () => {
    await using harness = await openLedgerHarness()
    let concurrently = async (): Promise<void> => {}
    const eraseOnce = (): void => {
      concurrently = async () => {
        concurrently = async () => {}
        await harness.erase('ann')
      }
    }
    const store: Store = {
      ...harness.store,
      events: {
        ...harness.store.events,
        async oldest(user, page) {
          const events = await harness.store.events.oldest(user, page)
          await concurrently()
          return events
        },
      },
      users: {
        ...harness.store.users,
        async records(user, kind, page) {
          const records = await harness.store.users.records(user, kind, page)
          await concurrently()
          return records
        },
      },
    }
    await using peer = await harness.openPeer({ store, keepEvents: 2 })
    const ann = peer.user('ann')
    await recordEvents(ann, 12)
    await ann.settle(await admitForTicket(ann))
    harness.clock.advance(9 * DAY_MS)
    eraseOnce()
    await ann.record('acme:n')
    assert.equal((await harness.user('ann').bond()).exists, false)
    await recordEvents(ann, 12)
    await ann.settle(await admitForTicket(ann))
    harness.clock.advance(9 * DAY_MS)
    eraseOnce()
    await ann.admit()
    await peer.ledger.close()
    assert.equal((await harness.user('ann').bond()).exists, false)
    assert.equal((await harness.ledger.verify()).ok, true)
  })

  it('does not remove events when one of them was changed in the store', async () => {
    await using harness = await openLedgerHarness()
    const store: Store = {
      ...harness.store,
      events: {
        ...harness.store.events,
        oldest: async (user, page) =>
          (await harness.store.events.oldest(user, page)).map((event) =>
            event.sequence === 1 ? { ...event, body: event.body.replace('acme:n', 'acme:m') } : event,
          ),
      },
    }
    await using peer = await harness.openPeer({ store, keepEvents: 3 })
    const ann = peer.user('ann')
    await recordEvents(ann, 6)
    assert.equal((await ann.events()).length, 6)
    assert.deepEqual((await ann.verify()).firstBad?.sequence, 1)
  })
})
