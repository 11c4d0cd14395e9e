import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import type { PurserError } from '../../src/errors.ts'
import { openPurser } from '../../src/index.ts'
import type { ListUsersOptions } from '../../src/ledger/list-users.ts'
import type { Store } from '../../src/storage/store.ts'
import { DRIVERS, type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

const HOUR_MS = 3_600_000
const by = { actor: 'ana', reason: 'test' }

/** Twelve users who differ in everything a list can be filtered by. */
async function addUsers(harness: LedgerHarness): Promise<void> {
  for (let index = 0; index < 12; index++) {
    const user = harness.user(`user-${String(index).padStart(2, '0')}`)
    await user.admit({ cost: index + 1 })
    await user.observe(
      { phase: index % 2 ? 'warm' : 'cold', riskLevel: index % 3 ? 'low' : 'high' },
      { peaks: { joy: index / 10 } },
    )
    harness.clock.advance(1_000)
  }
  await harness.user('user-03').block(by)
}

async function listIds(harness: LedgerHarness, query?: ListUsersOptions): Promise<string[]> {
  return (await harness.ledger.users(query)).users.map(({ user }) => user)
}

for (const driver of DRIVERS) {
  describe(`a list of users on ${driver} (BL-13, BL-D06)`, () => {
    it('is filtered by phase, risk, block, last activity, prefix and use of the cap', async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: 12 })
      await addUsers(harness)
      const list = (query?: ListUsersOptions): Promise<string[]> => listIds(harness, query)
      assert.equal((await list()).length, 12)
      assert.deepEqual(await list({ phase: 'warm', riskLevel: 'high' }), ['user-03', 'user-09'])
      assert.deepEqual(await list({ blocked: true }), ['user-03'])
      assert.equal((await list({ blocked: false })).length, 11)
      assert.deepEqual(await list({ prefix: 'user-1' }), ['user-10', 'user-11'])
      assert.deepEqual(await list({ contains: 'r-1' }), ['user-10', 'user-11'])
      assert.deepEqual(await list({ seenBefore: '2026-03-10T12:00:02Z' }), ['user-00', 'user-01'])
      assert.deepEqual(await list({ capUsed: 0.9 }), ['user-10', 'user-11'])
      assert.deepEqual(await list({ limitUsed: 0.9 }), ['user-10', 'user-11'])
      assert.deepEqual(await list({ limitUsed: 0.9, phase: 'warm' }), ['user-11'])
      assert.deepEqual(await list({ seenSince: '2026-03-10T12:00:10Z' }), ['user-10', 'user-11'])
      assert.deepEqual(await list({ orderBy: 'peak', limit: 2 }), ['user-11', 'user-10'])
      assert.deepEqual(await list({ orderBy: 'lastSeenAt', order: 'asc', limit: 2 }), ['user-00', 'user-01'])
      assert.deepEqual(await list({ orderBy: 'capUsed', limit: 1 }), ['user-11'])
    })

    it('passes over an offset, and counts what the filters leave', async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: 12 })
      await addUsers(harness)
      const { ledger } = harness
      assert.deepEqual(await listIds(harness, { offset: 10 }), ['user-10', 'user-11'])
      assert.deepEqual(await listIds(harness, { offset: 1, limit: 2, phase: 'warm' }), ['user-03', 'user-05'])
      assert.deepEqual(await listIds(harness, { offset: 12 }), [])
      assert.equal(await ledger.countUsers(), 12)
      assert.equal(await ledger.countUsers({ phase: 'warm', limit: 2, offset: 1 }), 6)
      assert.equal(await ledger.countUsers({ capUsed: 0.9 }), 2)
      assert.equal(await ledger.countUsers({ limitUsed: 0.9 }), 2)
      assert.deepEqual(await listIds(harness, { limitUsed: 0.9, offset: 1 }), ['user-11'])
      await assert.rejects(ledger.countUsers({ plan: 'none' }), { code: 'plan_unknown' })
      await assert.rejects(ledger.countUsers({ offset: -1 }), { code: 'argument_invalid' })
    })

    it('ignores windows that are over and blocks that have ended', async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: 12 })
      await addUsers(harness)
      await harness.user('user-05').block({ ...by, until: '2026-03-10T13:00:00Z' })
      harness.clock.advance(HOUR_MS)
      assert.deepEqual(await listIds(harness, { blocked: true }), ['user-03'])
      assert.equal((await listIds(harness, { blocked: false })).includes('user-05'), true)
      harness.clock.advance(12 * HOUR_MS)
      assert.deepEqual(await listIds(harness, { capUsed: 0.1 }), [])
    })

    it('continues with a cursor, and iterates over all pages', async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: 12 })
      await addUsers(harness)
      for (const orderBy of ['id', 'seenAt', 'createdAt', 'capUsed', 'peak'] as const) {
        const paged: string[] = []
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const page = await harness.ledger.users({ orderBy, limit: 5, cursor })
          paged.push(...page.users.map(({ user }) => user))
          cursor = page.cursor
        }
        const iterated: string[] = []
        for await (const bond of harness.ledger.users({ orderBy, limit: 4 })) iterated.push(bond.user)
        assert.deepEqual(paged, iterated)
        assert.equal(new Set(paged).size, 12)
      }
    })

    it('contains neither erased users nor the log of the namespace', async () => {
      await using harness = await openLedgerHarness({ driver })
      await harness.user('ann').admit()
      await harness.user('bob').admit()
      await harness.erase('ann')
      assert.deepEqual(await listIds(harness), ['bob'])
      assert.deepEqual(await harness.ledger.overview(), {
        users: 1,
        blocked: 0,
        phases: { dormant: 1 },
        riskLevels: { low: 1 },
      })
    })
  })
}

describe('a query of users', () => {
  it('rejects when its signal is aborted while it waits for a page', async () => {
    await using harness = await openLedgerHarness()
    const stuck: Store = {
      ...harness.store,
      users: { ...harness.store.users, list: () => Promise.withResolvers<never>().promise },
    }
    await using peer = await harness.openPeer({ store: stuck })
    const [page, all] = [new AbortController(), new AbortController()]
    const awaited = assert.rejects(Promise.resolve(peer.ledger.users({ signal: page.signal })), /enough/)
    const iterated = assert.rejects(Array.fromAsync(peer.ledger.users({ signal: all.signal })), /enough/)
    for (const controller of [page, all]) controller.abort(new Error('enough'))
    await Promise.all([awaited, iterated])
  })

  it('rejects labels that are not declared, and lists the valid ones', async () => {
    await using harness = await openLedgerHarness({ phases: ['calm', 'drawn'], riskLevels: ['none', 'some'] })
    await harness.user('ann').observe({ phase: 'drawn' })
    assert.deepEqual(await listIds(harness, { phase: 'drawn', riskLevel: 'none' }), ['ann'])
    for (const [query, param, hint] of [
      [{ phase: 'zzz' }, 'phase', /calm, drawn/],
      [{ phase: 'drwn' }, 'phase', /'drawn'/],
      [{ riskLevel: 'low' }, 'riskLevel', /none, some/],
    ] as const) {
      await assert.rejects(listIds(harness, query), (error: PurserError) => {
        assert.deepEqual([error.code, error.details?.param], ['argument_invalid', param])
        assert.match(error.hint ?? '', hint)
        return true
      })
    }
  })

  it('rejects invalid options, and the cursor of another query', async () => {
    await using harness = await openLedgerHarness()
    await harness.user('ann').admit()
    await harness.user('bob').admit()
    const { cursor } = await harness.ledger.users({ limit: 1 })
    const wrong: unknown[] = [
      { limit: 0 },
      { limit: 1_001 },
      { orderBy: 'mood' },
      { order: 'up' },
      { capUsed: 'half' },
      { limitUsed: -1 },
      { blocked: 'yes' },
      { seenSince: 'today' },
      { cursor: 'nonsense' },
      { cursor: 5 },
      { cursor, phase: 'dormant' },
      { phase: '' },
    ]
    for (const query of wrong)
      await assert.rejects(Promise.resolve(harness.ledger.users(query as never)), { code: 'argument_invalid' })
    await assert.rejects(Promise.resolve(harness.ledger.users({ fase: 'x' } as never)), { code: 'option_unknown' })
    assert.equal((await harness.ledger.users({ limit: 1, cursor })).users[0]?.user, 'bob')
  })
})

test('users are found by the use of any of their limits', async () => {
  await using purser = await openPurser({
    store: 'memory:',
    ledger: {
      dailyCap: 100,
      limits: [
        { name: 'few', measure: 'turns', max: 4, window: '5h' },
        { name: 'any', measure: 'turns', max: null, window: 'day' },
      ],
    },
  })
  for (const [id, turns] of Object.entries({ one: 1, three: 3, four: 4 })) {
    for (let turn = 0; turn < turns; turn++) assert.equal((await purser.user(id).ledger.admit()).allowed, true)
  }
  const ids = async (limitUsed: number): Promise<string[]> =>
    (await Array.fromAsync(purser.users({ limitUsed }))).map(({ user }) => user)
  assert.deepEqual(await ids(0.7), ['four', 'three'])
  assert.deepEqual(await ids(1), ['four'])
  assert.deepEqual(await ids(0), ['four', 'one', 'three'])
  assert.equal(await purser.countUsers({ limitUsed: 0.7 }), 2)
})
