import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { redisStore } from '../../../src/drivers/redis/index.ts'
import { openPurser, type Purser } from '../../../src/index.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { noRedis, sharedRedis } from '../../support/redis-server.ts'
import { admitTogether, sum } from '../children/admit-together.ts'

const SECRET = Buffer.alloc(32, 7).toString('base64')

function open(url: string, dailyCap: number): Promise<Purser> {
  return openPurser({ store: url, secretKey: SECRET, ledger: { dailyCap } })
}

describe('processes on Redis', { skip: noRedis }, () => {
  test('1,000 attempts of 3 processes on a cap of 100 admit exactly 100 (BL-D05, BL-D09)', async () => {
    const server = await sharedRedis()
    for (let round = 0; round < rounds(200, 2); round++) {
      const url = server.url()
      const allowed = await admitTogether({ location: url, attempts: [334, 333, 333], cap: 100 })
      assert.equal(sum(allowed), 100, allowed.join(' + '))
      const store = redisStore({ url })
      assert.equal((await store.users.load({ namespace: 'processes', id: 'ann' }))?.usage, '{"steps":100}')
      await store.close()
    }
  })

  test('processes that write one user without a pause do not starve each other, and lose no update', async () => {
    const url = (await sharedRedis()).url()
    const each = rounds(10_000, 150)
    const attempts = [each, each, each]
    const allowed = await admitTogether({ location: url, attempts, cap: 1_000_000, mode: 'sequential' })
    assert.deepEqual(allowed, attempts)
    const store = redisStore({ url })
    const usage = (await store.users.load({ namespace: 'processes', id: 'ann' }))?.usage
    assert.equal(usage, `{"steps":${3 * each}}`)
    await store.close()
  })

  test('two Pursers on one server admit exactly the cap, for one hot user and for many', async () => {
    const url = (await sharedRedis()).url()
    await using first = await open(url, 10)
    await using second = await open(url, 10)
    const ids = ['hot', ...Array.from({ length: 20 }, (_, index) => `user ${index}`)]
    const admissions = await Promise.all(
      ids.flatMap((id) =>
        Array.from({ length: 30 }, async (_, index) => {
          const purser = index % 2 === 0 ? first : second
          return { id, allowed: (await purser.user(id).ledger.admit()).allowed }
        }),
      ),
    )
    for (const id of ids)
      assert.equal(admissions.filter((admission) => admission.id === id && admission.allowed).length, 10, id)
    assert.equal((await first.user('hot').ledger.quota()).remaining, 0)
  })

  test('a change of one Purser is in force in the other, and an erasure ends everything there', async () => {
    const url = (await sharedRedis()).url()
    await using first = await open(url, 0)
    await using second = await open(url, 0)
    await first.user('ann').ledger.setDailyCap(1, { actor: 'test' })
    await second.user('ann').ledger.admit()
    assert.equal((await first.user('ann').ledger.admit()).allowed, false)
    await first.user('ann').profile.put({ name: 'Ann' })
    assert.deepEqual(await second.user('ann').profile.get(), { name: 'Ann' })
    const { erased, purged } = await second.user('ann').erase({ actor: 'test', reason: 'asked' })
    assert.equal(erased.bond, 1)
    assert.equal(purged, false)
    assert.equal((await first.user('ann').ledger.bond()).exists, false)
    assert.equal((await first.verify()).ok, true)
  })

  test('a store in Redis needs a secret key', async () => {
    const url = (await sharedRedis()).url()
    await assert.rejects(openPurser({ store: url }), /needs a secretKey/)
  })
})
