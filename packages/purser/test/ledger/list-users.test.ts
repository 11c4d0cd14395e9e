import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PurserError } from '../../src/errors.ts'
import type { Store } from '../../src/storage/store.ts'
import { DRIVERS, erase, type House, openHouse } from '../support/ledger-harness.ts'

const HOUR = 3_600_000
const by = { actor: 'ana', reason: 'test' }

async function people(house: House): Promise<void> {
  for (let index = 0; index < 12; index++) {
    const user = house.of(`user-${String(index).padStart(2, '0')}`)
    await user.admit({ cost: index + 1 })
    await user.observe(
      { phase: index % 2 ? 'warm' : 'cold', riskLevel: index % 3 ? 'low' : 'high' },
      { peaks: { joy: index / 10 } },
    )
    house.clock.advance(1_000)
  }
  await house.of('user-03').block(by)
}

for (const driver of DRIVERS) {
  describe(`listing users on ${driver} (BL-13, BL-D06)`, () => {
    const ids = async (house: House, query?: Parameters<House['ledger']['users']>[0]): Promise<string[]> =>
      (await house.ledger.users(query)).users.map(({ user }) => user)

    it('lets go who waits for a page when their signal is aborted', async () => {
      await using house = await openHouse()
      const stuck: Store = {
        ...house.store,
        users: { ...house.store.users, list: () => Promise.withResolvers<never>().promise },
      }
      await using other = await openHouse({ store: stuck, clock: house.clock })
      const [page, all] = [new AbortController(), new AbortController()]
      const awaited = assert.rejects(Promise.resolve(other.ledger.users({ signal: page.signal })), /enough/)
      const iterated = assert.rejects(Array.fromAsync(other.ledger.users({ signal: all.signal })), /enough/)
      for (const controller of [page, all]) controller.abort(new Error('enough'))
      await Promise.all([awaited, iterated])
    })

    it('filters by phase, risk, block, last activity, prefix and use of the cap', async () => {
      await using house = await openHouse({ driver, dailyCap: 12 })
      await people(house)
      assert.equal((await ids(house)).length, 12)
      assert.deepEqual(await ids(house, { phase: 'warm', riskLevel: 'high' }), ['user-03', 'user-09'])
      assert.deepEqual(await ids(house, { blocked: true }), ['user-03'])
      assert.equal((await ids(house, { blocked: false })).length, 11)
      assert.deepEqual(await ids(house, { prefix: 'user-1' }), ['user-10', 'user-11'])
      assert.deepEqual(await ids(house, { capUsed: 0.9 }), ['user-10', 'user-11'])
      assert.deepEqual(await ids(house, { seenSince: '2026-03-10T12:00:10Z' }), ['user-10', 'user-11'])
      assert.deepEqual(await ids(house, { orderBy: 'peak', limit: 2 }), ['user-11', 'user-10'])
      assert.deepEqual(await ids(house, { orderBy: 'lastSeenAt', order: 'asc', limit: 2 }), ['user-00', 'user-01'])
      assert.deepEqual(await ids(house, { orderBy: 'capUsed', limit: 1 }), ['user-11'])
    })

    it('with declared labels a filter by another one is refused, with those there are', async () => {
      await using house = await openHouse({ driver, phases: ['calm', 'drawn'], riskLevels: ['none', 'some'] })
      await house.of('ann').observe({ phase: 'drawn' })
      assert.deepEqual(await ids(house, { phase: 'drawn', riskLevel: 'none' }), ['ann'])
      for (const [query, param, hint] of [
        [{ phase: 'zzz' }, 'phase', /calm, drawn/],
        [{ phase: 'drwn' }, 'phase', /'drawn'/],
        [{ riskLevel: 'low' }, 'riskLevel', /none, some/],
      ] as const) {
        await assert.rejects(ids(house, query), (error: PurserError) => {
          assert.deepEqual([error.code, error.details?.param], ['argument_invalid', param])
          assert.match(error.hint ?? '', hint)
          return true
        })
      }
    })

    it('near-cap ignores windows that are over, and blocks that have ended', async () => {
      await using house = await openHouse({ driver, dailyCap: 12 })
      await people(house)
      await house.of('user-05').block({ ...by, until: '2026-03-10T13:00:00Z' })
      house.clock.advance(HOUR)
      assert.deepEqual(await ids(house, { blocked: true }), ['user-03'])
      assert.equal((await ids(house, { blocked: false })).includes('user-05'), true)
      house.clock.advance(12 * HOUR)
      assert.deepEqual(await ids(house, { capUsed: 0.1 }), [])
    })

    it('goes through all pages by cursor, and is itself an iterable of everybody', async () => {
      await using house = await openHouse({ driver, dailyCap: 12 })
      await people(house)
      for (const orderBy of ['id', 'seenAt', 'createdAt', 'capUsed', 'peak'] as const) {
        const paged: string[] = []
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const page = await house.ledger.users({ orderBy, limit: 5, cursor })
          paged.push(...page.users.map(({ user }) => user))
          cursor = page.cursor
        }
        const iterated: string[] = []
        for await (const bond of house.ledger.users({ orderBy, limit: 4 })) iterated.push(bond.user)
        assert.deepEqual(paged, iterated)
        assert.equal(new Set(paged).size, 12)
      }
    })

    it('does not list the erased, nor the log of the namespace', async () => {
      await using house = await openHouse({ driver })
      await house.of('ann').admit()
      await house.of('bob').admit()
      await erase(house, 'ann')
      assert.deepEqual(await ids(house), ['bob'])
      assert.deepEqual(await house.ledger.overview(), {
        users: 1,
        blocked: 0,
        phases: { dormant: 1 },
        riskLevels: { low: 1 },
      })
    })
  })
}

describe('a query', () => {
  it('refuses what it does not know, and cursors of other queries', async () => {
    await using house = await openHouse()
    await house.of('ann').admit()
    await house.of('bob').admit()
    const { cursor } = await house.ledger.users({ limit: 1 })
    const wrong: unknown[] = [
      { limit: 0 },
      { limit: 1_001 },
      { orderBy: 'mood' },
      { order: 'up' },
      { capUsed: 'half' },
      { blocked: 'yes' },
      { seenSince: 'today' },
      { cursor: 'nonsense' },
      { cursor: 5 },
      { cursor, phase: 'dormant' },
      { phase: '' },
    ]
    for (const query of wrong)
      await assert.rejects(Promise.resolve(house.ledger.users(query as never)), { code: 'argument_invalid' })
    await assert.rejects(Promise.resolve(house.ledger.users({ fase: 'x' } as never)), { code: 'option_unknown' })
    assert.equal((await house.ledger.users({ limit: 1, cursor })).users[0]?.user, 'bob')
  })
})
