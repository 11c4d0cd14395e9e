import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import { type ChaosOptions, type ChaosStore, chaosStore, handClock, storeContract } from '../../src/testing/index.ts'
import { ann, mustCommit, NAMESPACE, tryCommit } from '../../src/testing/store-contract/samples.ts'

const clock = handClock()

async function open(options: Partial<ChaosOptions>): Promise<ChaosStore> {
  const store = chaosStore(await openMemoryStore({ effects: clock }), { seed: 1, effects: clock, ...options })
  store.enable()
  return store
}

storeContract({
  test,
  prefix: 'disabled chaos: ',
  async open() {
    const store = await open({ fail: 1, lose: 1, delay: 1, dropMessages: 1 })
    store.disable()
    return store
  },
})

test('a failed call is not made, and a lost one is', async () => {
  const failing = await open({ fail: 1, only: (call) => call === 'users.commit' })
  await assert.rejects(tryCommit(failing, ann), (error) => PurserError.is(error, 'store_unavailable'))
  assert.equal(await failing.users.load(ann), undefined)
  assert.equal(failing.faults.failed, 1)
  const losing = await open({ lose: 1, only: (call) => call === 'users.commit' })
  await assert.rejects(tryCommit(losing, ann), (error) => PurserError.is(error, 'store_unavailable'))
  assert.equal((await losing.users.load(ann))?.revision, 1)
})

test('a delayed call begins after its delay', async () => {
  const store = await open({ delay: 1, maxDelayMs: 1_000 })
  let isLoaded = false
  const loading = store.users.load(ann).then(() => {
    isLoaded = true
  })
  await clock.pass(0)
  assert.equal(isLoaded, false)
  await clock.pass(1_000)
  await loading
})

test('the same seed injects the same faults', async () => {
  const listFaults = async (seed: number): Promise<boolean[]> => {
    const store = await open({ seed, fail: 0.5 })
    const calls = Array.from({ length: 40 }, () =>
      store.users
        .load(ann)
        .then(() => false)
        .catch(() => true),
    )
    return Promise.all(calls)
  }
  assert.deepEqual(await listFaults(7), await listFaults(7))
  assert.notDeepEqual(await listFaults(7), await listFaults(8))
})

test('bus messages can be dropped', async () => {
  const store = await open({ dropMessages: 1 })
  store.bus.subscribe(() => assert.fail('the message was delivered'))
  await store.bus.publish({ topic: 'context', namespace: NAMESPACE })
  await mustCommit(store, ann)
  assert.equal(store.faults.droppedMessages, 2)
})

test('unknown options and invalid rates are errors, so that no test runs without its faults', async () => {
  await assert.rejects(open({ failRate: 1 } as never), { code: 'option_unknown' })
  for (const wrong of [{ fail: 'all' }, { lose: 2 }, { delay: -1 }, { dropMessages: Number.NaN }])
    await assert.rejects(open(wrong as never), { code: 'argument_invalid' })
  assert.throws(() => handClock({ wal: 1 } as never), { code: 'option_unknown' })
  assert.throws(() => handClock().stepWall(Number.NaN), RangeError)
})
