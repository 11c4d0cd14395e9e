import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DRIVERS, type LedgerHarness, openLedgerHarness, recordEvents } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'test' }

async function take<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const taken: Item[] = []
  for await (const item of items) if (taken.push(item) === count) break
  return taken
}

/**
 * Resolves when this many tails know where they begin. A server may read that on another connection than the one it
 * writes events on, and so after events that are recorded at once.
 */
function haveBegun({ store }: LedgerHarness, tails: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { events } = store
  const position = events.position.bind(events)
  let begun = 0
  events.position = async (...args) => {
    const found = await position(...args)
    if (++begun === tails) resolve()
    return found
  }
  return promise
}

for (const driver of DRIVERS) {
  describe(`the live tail on ${driver}`, () => {
    it('yields new events of the requested users and types, in order', async () => {
      await using harness = await openLedgerHarness({ driver })
      const [ann, bob] = [harness.user('ann'), harness.user('bob')]
      await recordEvents(ann, 1)
      const begun = haveBegun(harness, 2)
      const all = harness.ledger.events()
      const some = harness.ledger.events({ user: 'ann', types: ['admin_action'] })
      await begun
      await recordEvents(ann, 2)
      await recordEvents(bob, 1)
      await ann.block(by)
      assert.deepEqual(
        (await take(all, 4)).map(({ user, sequence }) => [user, sequence]),
        [
          ['ann', 2],
          ['ann', 3],
          ['bob', 1],
          ['ann', 4],
        ],
      )
      assert.deepEqual(
        (await take(some, 1)).map(({ type }) => type),
        ['admin_action'],
      )
    })

    it('wakes for a new event, and resumes after an event id', async () => {
      await using harness = await openLedgerHarness({ driver })
      const ann = harness.user('ann')
      const [first] = await recordEvents(ann, 1)
      const begun = haveBegun(harness, 1)
      const next = take(harness.ledger.events(), 2)
      await begun
      await recordEvents(ann, 2)
      assert.deepEqual(
        (await next).map(({ sequence }) => sequence),
        [2, 3],
      )
      assert.deepEqual(
        (await take(harness.ledger.events({ after: first?.id }), 2)).map(({ sequence }) => sequence),
        [2, 3],
      )
    })

    it('rejects when its signal is aborted, and ends when the ledger closes', async () => {
      await using harness = await openLedgerHarness({ driver })
      const controller = new AbortController()
      const aborted = take(harness.ledger.events({ signal: controller.signal }), 1)
      const ended = take(harness.ledger.events(), 1)
      const reason = new Error('enough')
      setImmediate(() => controller.abort(reason))
      await assert.rejects(aborted, reason)
      await harness.ledger.close()
      assert.deepEqual(await ended, [])
    })

    it('rejects for an event id that is not stored', async () => {
      await using harness = await openLedgerHarness({ driver })
      await assert.rejects(take(harness.ledger.events({ after: 'unknown' }), 1), { code: 'event_gone' })
    })
  })
}

describe('the live tail', () => {
  it('ends at once when its reader returns, even while it waits for an event', async () => {
    await using harness = await openLedgerHarness()
    const tail = harness.ledger.events()[Symbol.asyncIterator]()
    const next = tail.next()
    await tail.return?.()
    assert.equal((await next).done, true)
    assert.equal((await tail.next()).done, true)
  })
})
