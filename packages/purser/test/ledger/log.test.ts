import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store } from '../../src/storage/store.ts'
import { openLedgerHarness, recordEvents } from '../support/ledger-harness.ts'

const by = { actor: 'ana', reason: 'test' }

describe('the event log', () => {
  it('is read newest first, with limit, cursor and types (BL-30, BL-D17)', async () => {
    await using harness = await openLedgerHarness()
    const ann = harness.user('ann')
    const recorded = await recordEvents(ann, 60)
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
    assert.deepEqual(await ann.events({ types: ['acme:n'], limit: 1 }), [recorded[59]])
    assert.deepEqual(await ann.events({ limit: 0 }), [])
    assert.deepEqual(await ann.events({ types: [] }), [])
    assert.deepEqual(await ann.events({ before: 1 }), [])
    for (const wrong of [{ limit: -1 }, { limit: 1_001 }, { limit: 1.5 }, { before: -1 }, { types: 'x' }])
      await assert.rejects(ann.events(wrong as never), { code: 'argument_invalid' })
    for (const wrong of [{ types: 'x' }, { types: [5] }, { after: 1 }])
      assert.throws(() => harness.ledger.events(wrong as never), { code: 'argument_invalid' })
  })

  it('is read within a period, of which the end is excluded', async () => {
    await using harness = await openLedgerHarness({ wall: '2026-03-10T12:00:00Z' })
    const ann = harness.user('ann')
    for (const name of ['acme:a', 'acme:b', 'acme:c', 'acme:d']) {
      await ann.record(name)
      harness.clock.advance(3_600_000)
    }
    const read = async (options: object): Promise<string> =>
      (await ann.events(options)).map(({ type }) => type.at(-1)).join('')
    assert.equal(await read({ from: '2026-03-10T13:00:00Z', to: '2026-03-10T15:00:00Z' }), 'cb')
    assert.equal(await read({ to: '2026-03-10T16:00:00+03:00' }), 'a')
    assert.equal(await read({ from: '2026-03-10T14:00:00.001Z' }), 'd')
    assert.equal(await read({ from: '2026-03-10T12:00:00Z', limit: 2, before: 4 }), 'cb')
    assert.equal(await read({ from: '2026-03-10T12:00:00Z', types: ['acme:a', 'acme:d'] }), 'da')
    assert.equal(await read({ from: '2026-03-10T14:00:00Z', to: '2026-03-10T14:00:00Z' }), '')
    const inverted = { from: '2026-03-10T14:00:00Z', to: '2026-03-10T13:00:00Z' }
    for (const wrong of [
      inverted,
      { from: '2026-03-10' },
      { to: 'yesterday' },
      { from: 5 },
      { to: '2026-02-31T00:00:00Z' },
    ])
      await assert.rejects(ann.events(wrong as never), { code: 'argument_invalid' })
  })

  it('is numbered without gaps when two processes write (BL-D15)', async () => {
    await using one = await openLedgerHarness()
    await using two = await one.openPeer()
    await Promise.all(Array.from({ length: 60 }, (_, index) => (index % 2 ? one : two).user('ann').record('acme:n')))
    const events = await one.user('ann').events({ limit: 1_000 })
    assert.deepEqual(
      events.map(({ sequence }) => sequence),
      Array.from({ length: 60 }, (_, index) => 60 - index),
    )
    assert.equal(new Set(events.map(({ id }) => id)).size, 60)
    assert.deepEqual(await one.ledger.verify(), { ok: true, checked: 60 })
  })

  it('is separate for users whose ids look like keys of each other (BL-D10)', async () => {
    await using harness = await openLedgerHarness()
    for (const id of ['bob', 'events:bob', 'bob\u2028', 'BOB', 'default', '["bob"]'])
      await recordEvents(harness.user(id), 2)
    for (const id of ['bob', 'events:bob', 'BOB']) assert.equal((await harness.user(id).events()).length, 2)
    assert.equal((await harness.ledger.verify()).checked, 12)
  })
})

describe('verification', () => {
  it('succeeds while notes are added', async () => {
    await using harness = await openLedgerHarness()
    let isAdding = false
    const busy: Store = {
      ...harness.store,
      users: {
        ...harness.store.users,
        async records(user, kind, page) {
          if (kind === 'note' && isAdding) await harness.user('ann').addNote('during', by)
          return harness.store.users.records(user, kind, page)
        },
      },
    }
    await using peer = await harness.openPeer({ store: busy })
    for (let note = 0; note < 5; note++) await harness.user('ann').addNote('before', by)
    isAdding = true
    assert.deepEqual(await peer.user('ann').verify(), { ok: true, checked: 5 })
    assert.deepEqual(await peer.user('ann').verify(), { ok: true, checked: 6 })
  })

  it('does not block the event loop, even on the memory store', async () => {
    await using harness = await openLedgerHarness()
    await Promise.all(Array.from({ length: 2_000 }, () => harness.user('ann').record('acme:n')))
    let [turns, isOver] = [0, false]
    function count(): void {
      turns++
      if (!isOver) setImmediate(count)
    }
    count()
    await harness.user('ann').verify()
    isOver = true
    assert.ok(turns >= 4, `${turns} turns of the event loop`)
  })
})

describe('checkpoints', () => {
  it('stay valid while the store is written, also after erasure and retention', async () => {
    await using harness = await openLedgerHarness({ keepEvents: 3 })
    const [ann, bob] = [harness.user('ann'), harness.user('bob')]
    await recordEvents(ann, 2)
    await recordEvents(bob, 2)
    const checkpoint = await harness.ledger.checkpoint()
    await recordEvents(ann, 1)
    assert.equal((await harness.ledger.verify({ checkpoint })).ok, true)
    assert.equal((await ann.verify({ checkpoint })).ok, true)
    await recordEvents(ann, 5)
    await harness.erase('bob')
    assert.equal((await harness.ledger.verify({ checkpoint })).ok, true)
  })

  it('are rejected when they were changed or come from another namespace', async () => {
    await using harness = await openLedgerHarness()
    await using other = await openLedgerHarness({ namespace: 'other' })
    const checkpoint = await harness.ledger.checkpoint()
    for (const wrong of [
      checkpoint.replace('events 1', 'events 2'),
      '',
      'x',
      checkpoint.split('\n').slice(1).join('\n'),
      await other.ledger.checkpoint(),
      7,
    ])
      await assert.rejects(harness.ledger.verify({ checkpoint: wrong as string }), { code: 'checkpoint_invalid' })
  })

  it('of another store with the same key report a rollback', async () => {
    await using harness = await openLedgerHarness()
    await using other = await openLedgerHarness()
    await recordEvents(harness.user('ann'), 1)
    const checkpoint = await harness.ledger.checkpoint()
    const { ok, firstBad } = await other.ledger.verify({ checkpoint })
    assert.equal(ok, false)
    assert.match(firstBad?.problem ?? '', /rolled back/)
  })
})
