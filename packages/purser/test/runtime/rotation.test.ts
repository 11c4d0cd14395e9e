import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { rounds } from '../support/fuzz-options.ts'
import { fails, openRuntimeHarness, type RuntimeHarness } from '../support/runtime-harness.ts'

const USERS = rounds(100_000, 500)
/** Users processed at the same time. */
const CONCURRENCY = 250

async function forAllUsers(run: (user: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < USERS) await run(next++)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

/** The key of the model that a lease of this user gets. */
async function getKey(harness: RuntimeHarness, user: number): Promise<string | undefined> {
  const lease = await harness.user(`user-${user}`).acquire()
  try {
    lease.chat
    return harness.models.findLast((model) => model.request.user.id === `user-${user}`)?.request.credentials?.apiKey
  } finally {
    lease.release()
  }
}

test(`the secret key can be rotated under load, and each of ${USERS} users keeps their own key`, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'purser-rotation-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const [first, second] = [0, 1].map(() => randomBytes(32).toString('base64')) as [string, string]
  await using before = await openRuntimeHarness({
    path: join(directory, 'purser.db'),
    effects: systemEffects,
    secretKey: { current: first, previous: [] },
  })
  await forAllUsers(async (user) => {
    await before.user(`user-${user}`).setSecret('other', { apiKey: `key-of-${user}` })
    await before.user(`user-${user}`).configure({ provider: 'other' })
  })

  let rotated: RuntimeHarness | undefined
  let done = 0
  await forAllUsers(async (user) => {
    // Under load, another instance opens with the new key and wraps the root key again.
    if (++done === Math.floor(USERS / 2))
      rotated = await before.openInstance({ secretKey: { current: second, previous: [first] } })
    await before.user(`user-${user}`).setSecret('other', { apiKey: `newer-key-of-${user}` })
  })
  assert.ok(rotated)

  const after = await before.openInstance({ secretKey: { current: second, previous: [] } })
  let checked = 0
  for (let user = 0; user < USERS; user += Math.ceil(USERS / 2_000)) {
    assert.equal(await getKey(after, user), `newer-key-of-${user}`)
    assert.equal(await getKey(rotated, user), `newer-key-of-${user}`)
    checked += 1
  }
  t.diagnostic(`${USERS} users, ${checked} of them checked in two instances`)
  await assert.rejects(before.openInstance({ secretKey: { current: first, previous: [] } }), fails('secret_key_wrong'))
})
