import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Event } from '../../src/journal/event.ts'
import type { Store } from '../../src/storage/store.ts'
import { DRIVERS, erase, type House, openHouse } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'test' }

async function record(house: House, id: string, count: number): Promise<Event[]> {
  const events: Event[] = []
  for (let index = 0; index < count; index++) events.push(await house.of(id).record('acme:n', { data: { index } }))
  return events
}

async function take<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const taken: Item[] = []
  for await (const item of items) if (taken.push(item) === count) break
  return taken
}

describe('the log', () => {
  it('is whole also for who verifies it while somebody adds notes', async () => {
    await using house = await openHouse()
    let adding = false
    const busy: Store = {
      ...house.store,
      users: {
        ...house.store.users,
        async records(user, kind, page) {
          if (kind === 'note' && adding) await house.of('ann').addNote('meanwhile', by)
          return house.store.users.records(user, kind, page)
        },
      },
    }
    await using other = await openHouse({ store: busy, clock: house.clock })
    for (let note = 0; note < 5; note++) await house.of('ann').addNote('before', by)
    adding = true
    assert.deepEqual(await other.of('ann').verify(), { ok: true, checked: 5 })
    assert.deepEqual(await other.of('ann').verify(), { ok: true, checked: 6 })
  })

  it('is verified, also in memory, without holding up the event loop or whoever gives up', async () => {
    await using house = await openHouse()
    await Promise.all(Array.from({ length: 2_000 }, () => house.of('ann').record('acme:n')))
    let [turns, isOver] = [0, false]
    function count(): void {
      turns++
      if (!isOver) setImmediate(count)
    }
    count()
    await house.of('ann').verify()
    isOver = true
    assert.ok(turns >= 4, `${turns} turns of the event loop`)
  })

  it('has a tail that ends at once when its reader leaves, also while it waits for the next event', async () => {
    await using house = await openHouse()
    const tail = house.ledger.events()[Symbol.asyncIterator]()
    const next = tail.next()
    await tail.return?.()
    assert.equal((await next).done, true)
    assert.equal((await tail.next()).done, true)
  })

  it('is read newest first, with limit, cursor and types (BL-30, BL-D17)', async () => {
    await using house = await openHouse()
    const ann = house.of('ann')
    const made = await record(house, 'ann', 60)
    await ann.block(by)
    assert.equal((await ann.events()).length, 50)
    assert.deepEqual(
      (await ann.events({ limit: 2 })).map(({ sequence }) => sequence),
      [61, 60],
    )
    assert.deepEqual(
      (await ann.events({ limit: 2, before: 60 })).map(({ sequence }) => sequence),
      [59, 58],
    )
    assert.deepEqual(await ann.events({ types: ['acme:n'], limit: 1 }), [made[59]])
    assert.deepEqual(await ann.events({ limit: 0 }), [])
    assert.deepEqual(await ann.events({ types: [] }), [])
    assert.deepEqual(await ann.events({ before: 1 }), [])
    for (const wrong of [{ limit: -1 }, { limit: 1_001 }, { limit: 1.5 }, { before: -1 }, { types: 'x' }])
      await assert.rejects(ann.events(wrong as never), { code: 'argument_invalid' })
    for (const wrong of [{ types: 'x' }, { types: [5] }, { after: 1 }])
      assert.throws(() => house.ledger.events(wrong as never), { code: 'argument_invalid' })
  })

  it('numbers events without a gap, whoever writes at once (L8, BL-D15)', async () => {
    await using one = await openHouse()
    await using two = await openHouse({ store: one.store, clock: one.clock })
    await Promise.all(Array.from({ length: 60 }, (_, index) => (index % 2 ? one : two).of('ann').record('acme:n')))
    const events = await one.of('ann').events({ limit: 1_000 })
    assert.deepEqual(
      events.map(({ sequence }) => sequence),
      Array.from({ length: 60 }, (_, index) => 60 - index),
    )
    assert.equal(new Set(events.map(({ id }) => id)).size, 60)
    assert.deepEqual(await one.ledger.verify(), { ok: true, checked: 60 })
  })

  it("keeps users apart whose ids look like each other's keys (BL-D10)", async () => {
    await using house = await openHouse()
    for (const id of ['bob', 'events:bob', 'bob\u2028', 'BOB', 'default', '["bob"]']) await record(house, id, 2)
    for (const id of ['bob', 'events:bob', 'BOB']) assert.equal((await house.of(id).events()).length, 2)
    assert.equal((await house.ledger.verify()).checked, 12)
  })
})

for (const driver of DRIVERS) {
  describe(`the live tail on ${driver}`, () => {
    it('gives what comes from now on, of the users and types asked for, in order', async () => {
      await using house = await openHouse({ driver })
      await record(house, 'ann', 1)
      const all = house.ledger.events()
      const some = house.ledger.events({ user: 'ann', types: ['admin_action'] })
      const [ann] = [await record(house, 'ann', 2), await record(house, 'bob', 1)]
      await house.of('ann').block(by)
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
      assert.equal(ann.length, 2)
    })

    it('wakes for a new event, and resumes behind an event id', async () => {
      await using house = await openHouse({ driver })
      const [first] = await record(house, 'ann', 1)
      const waiting = take(house.ledger.events(), 2)
      await record(house, 'ann', 2)
      assert.deepEqual(
        (await waiting).map(({ sequence }) => sequence),
        [2, 3],
      )
      assert.deepEqual(
        (await take(house.ledger.events({ after: first?.id }), 2)).map(({ sequence }) => sequence),
        [2, 3],
      )
    })

    it('ends with the signal, or quietly when the ledger closes; an unknown id is told', async () => {
      await using house = await openHouse({ driver })
      await assert.rejects(take(house.ledger.events({ after: 'nobody knows' }), 1), { code: 'event_gone' })
      const controller = new AbortController()
      const aborted = take(house.ledger.events({ signal: controller.signal }), 1)
      const ended = take(house.ledger.events(), 1)
      const reason = new Error('enough')
      setImmediate(() => controller.abort(reason))
      await assert.rejects(aborted, reason)
      await house.ledger.close()
      assert.deepEqual(await ended, [])
    })
  })

  describe(`retention on ${driver} (L13, BL-D15)`, () => {
    it('removes the oldest by policy and leaves a counted tombstone; the chain and the fold still hold', async () => {
      await using house = await openHouse({ driver, keepEvents: 5 })
      const ann = house.of('ann')
      await ann.observe({ phase: 'warm', riskLevel: 'high' })
      await ann.setDailyCap(7, by)
      for (let round = 0; round < 3; round++) await record(house, 'ann', 4)
      const events = await ann.events()
      assert.equal(events.length, 5)
      const [tombstone] = await ann.events({ types: ['retention'], limit: 1 })
      assert.equal(tombstone?.detail, '2 events removed')
      assert.equal(events[0]?.sequence, (await ann.bond()).version)
      const { phase, riskLevel, dailyCap } = await ann.bond()
      assert.deepEqual([phase, riskLevel, dailyCap], ['warm', 'high', 7])
      assert.deepEqual(await ann.verify(), { ok: true, checked: 5 })
    })
  })
}

describe('retention and upkeep', () => {
  it('do not bring back somebody who is erased meanwhile (decision 5)', async () => {
    await using calm = await openHouse()
    let meanwhile = async (): Promise<void> => {}
    const store: Store = {
      ...calm.store,
      events: {
        ...calm.store.events,
        async oldest(user, page) {
          const found = await calm.store.events.oldest(user, page)
          await meanwhile()
          return found
        },
      },
      users: {
        ...calm.store.users,
        async records(user, kind, page) {
          const found = await calm.store.users.records(user, kind, page)
          await meanwhile()
          return found
        },
      },
    }
    await using house = await openHouse({ store, clock: calm.clock, keepEvents: 2 })
    await record(house, 'ann', 2)
    const admission = await house.of('ann').admit()
    await house.of('ann').settle(admission.allowed ? admission.ticket : '')
    calm.clock.advance(9 * 86_400_000)
    meanwhile = async () => {
      meanwhile = async () => {}
      await erase(calm, 'ann')
    }
    await house.of('ann').record('acme:n')
    assert.equal((await calm.of('ann').bond()).exists, false)
    await record(house, 'ann', 2)
    const again = await house.of('ann').admit()
    await house.of('ann').settle(again.allowed ? again.ticket : '')
    calm.clock.advance(9 * 86_400_000)
    meanwhile = async () => {
      meanwhile = async () => {}
      await erase(calm, 'ann')
    }
    await house.of('ann').admit()
    await house.ledger.close()
    assert.equal((await calm.of('ann').bond()).exists, false)
    assert.equal((await calm.ledger.verify()).ok, true)
  })

  it('removes nothing that was changed behind its back, so that it stays to be seen', async () => {
    await using calm = await openHouse()
    const store: Store = {
      ...calm.store,
      events: {
        ...calm.store.events,
        oldest: async (user, page) =>
          (await calm.store.events.oldest(user, page)).map((event) =>
            event.sequence === 1 ? { ...event, body: event.body.replace('acme:n', 'acme:m') } : event,
          ),
      },
    }
    await using house = await openHouse({ store, clock: calm.clock, keepEvents: 3 })
    await record(house, 'ann', 6)
    assert.equal((await house.of('ann').events()).length, 6)
    assert.deepEqual((await house.of('ann').verify()).firstBad?.sequence, 1)
  })
})

describe('checkpoints', () => {
  it('hold while the store goes on, also over erasure and retention', async () => {
    await using house = await openHouse({ keepEvents: 3 })
    await record(house, 'ann', 2)
    await record(house, 'bob', 2)
    const checkpoint = await house.ledger.checkpoint()
    await record(house, 'ann', 1)
    assert.equal((await house.ledger.verify({ checkpoint })).ok, true)
    assert.equal((await house.of('ann').verify({ checkpoint })).ok, true)
    await record(house, 'ann', 5)
    await erase(house, 'bob')
    assert.equal((await house.ledger.verify({ checkpoint })).ok, true)
  })

  it('are refused when they were changed, or come from elsewhere', async () => {
    await using house = await openHouse()
    await using other = await openHouse({ namespace: 'other' })
    const checkpoint = await house.ledger.checkpoint()
    for (const wrong of [
      checkpoint.replace('events 1', 'events 2'),
      '',
      'x',
      checkpoint.split('\n').slice(1).join('\n'),
      await other.ledger.checkpoint(),
      7,
    ])
      await assert.rejects(house.ledger.verify({ checkpoint: wrong as string }), { code: 'checkpoint_invalid' })
  })

  it('of another store with the same key do not fit', async () => {
    await using house = await openHouse()
    await using other = await openHouse()
    await record(house, 'ann', 1)
    const checkpoint = await house.ledger.checkpoint()
    const found = await other.ledger.verify({ checkpoint })
    assert.equal(found.ok, false)
    assert.match(found.firstBad?.problem ?? '', /set back/)
  })
})
