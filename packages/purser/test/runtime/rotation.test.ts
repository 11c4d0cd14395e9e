import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { rounds } from '../support/fuzz-options.ts'
import { fails, type House, openHouse } from '../support/runtime-harness.ts'

const USERS = rounds(100_000, 500)
/** Users that are worked on at the same time. */
const AT_ONCE = 250

async function forAll(work: (user: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < USERS) await work(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** Whose key a lease of this user runs on, as the provider would be told. */
async function keyOf(house: House, user: number): Promise<string | undefined> {
  const lease = await house.user(`user-${user}`).acquire()
  try {
    lease.chat
    return house.models.findLast((model) => model.order.user.id === `user-${user}`)?.order.credentials?.apiKey
  } finally {
    lease.release()
  }
}

test(`R15: the secret key changes under traffic, and each of ${USERS} users keeps their own key`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-rotation-'))
  const [first, second] = [0, 1].map(() => randomBytes(32).toString('base64')) as [string, string]
  const store = await openSqliteStore({ path: join(folder, 'purser.db'), effects: systemEffects })
  t.after(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })
  const before = await openHouse({ store, effects: systemEffects, secretKey: { current: first, previous: [] } })
  await forAll(async (user) => {
    await before.user(`user-${user}`).setSecret('other', { apiKey: `key-of-${user}` })
    await before.user(`user-${user}`).configure({ provider: 'other' })
  })

  let rotated: House | undefined
  let done = 0
  await forAll(async (user) => {
    // In the middle of the traffic another instance comes up with the new key, and wraps the root key anew.
    if (++done === Math.floor(USERS / 2))
      rotated = await before.sibling({ secretKey: { current: second, previous: [first] } })
    await before.user(`user-${user}`).setSecret('other', { apiKey: `newer-key-of-${user}` })
  })
  assert.ok(rotated)

  const after = await before.sibling({ secretKey: { current: second, previous: [] } })
  let checked = 0
  for (let user = 0; user < USERS; user += Math.ceil(USERS / 2_000)) {
    assert.equal(await keyOf(after, user), `newer-key-of-${user}`)
    assert.equal(await keyOf(rotated, user), `newer-key-of-${user}`)
    checked += 1
  }
  t.diagnostic(`${USERS} users, ${checked} of them looked at in two instances`)
  await assert.rejects(before.sibling({ secretKey: { current: first, previous: [] } }), fails('secret_key_wrong'))
  for (const house of [before, rotated, after]) await house.runtimes.close()
})
