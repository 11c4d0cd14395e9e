import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openPurser } from '../../src/index.ts'
import { erasuresOf } from '../../src/journal/erasures.ts'
import type { Store } from '../../src/storage/store.ts'
import { TEST_SECRET_KEY } from '../support/test-store.ts'
import { openTurnHarness, type TurnHarness } from '../support/turn-harness.ts'

const MARK = 'unmistakable'

/** What the upstream got for a new turn of the user. */
async function promptOf({ user, upstream }: TurnHarness, content: string): Promise<string> {
  const turn = await user('ada').turn({ messages: [{ role: 'user', content }] })
  assert.ok(turn.allowed)
  await turn.completion()
  return JSON.stringify(upstream.requests.at(-1)?.body.messages)
}

test('nothing in memory of an erased user is used for the next one, though no message of the erasure arrived', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const shared: Store = { ...memory, close: async () => undefined }
  const silent: Store = { ...shared, bus: { publish: async () => undefined, subscribe: () => () => undefined } }
  await using erasing = await openPurser({ store: shared, secretKey: TEST_SECRET_KEY })
  await using harness = await openTurnHarness({ store: silent })
  const ada = harness.user('ada')
  await ada.profile.put({ name: MARK })
  assert.ok((await promptOf(harness, 'hello')).includes(MARK))
  const lease = await ada.runtime.acquire()
  const erased: (string | undefined)[] = []
  erasuresOf(harness.purser)?.subscribe((user) => erased.push(user))

  await erasing.user('ada').erase({ actor: 'alice', reason: 'asked' })
  // A call decided on the erased user is not repeated for the next one.
  await assert.rejects(promptOf(harness, 'hello'), { code: 'user_erased' })
  assert.ok(!(await promptOf(harness, 'hello again')).includes(MARK))
  assert.deepEqual(erased, ['ada'])
  assert.throws(() => lease.model, { code: 'user_erased' })
  const next = await ada.runtime.acquire()
  assert.equal(next.incarnation, 2)
  for (const held of [lease, next]) held.release()
})
