import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import { type Chaos, type ChaosStore, chaosStore, handClock, storeContract } from '../../src/testing/index.ts'
import { accept, ann, NAMESPACE, write } from '../../src/testing/store-contract/samples.ts'

const clock = handClock()

async function open(chaos: Partial<Chaos>): Promise<ChaosStore> {
  const store = chaosStore(await openMemoryStore({ effects: clock }), { seed: 1, effects: clock, ...chaos })
  store.rage()
  return store
}

storeContract({
  test,
  prefix: 'calm chaos: ',
  async open() {
    const store = await open({ fail: 1, lose: 1, delay: 1, loseNews: 1 })
    store.calm()
    return store
  },
})

test('a failed call did nothing, and a lost one was done', async () => {
  const failing = await open({ fail: 1, only: (call) => call === 'users.commit' })
  await assert.rejects(write(failing, ann), (error) => PurserError.is(error, 'store_unavailable'))
  assert.equal(await failing.users.load(ann), undefined)
  assert.equal(failing.faults.failed, 1)
  const losing = await open({ lose: 1, only: (call) => call === 'users.commit' })
  await assert.rejects(write(losing, ann), (error) => PurserError.is(error, 'store_unavailable'))
  assert.equal((await losing.users.load(ann))?.revision, 1)
})

test('a delayed call waits for its own time', async () => {
  const store = await open({ delay: 1, maxDelayMs: 1_000 })
  let isThere = false
  const loading = store.users.load(ann).then(() => {
    isThere = true
  })
  await clock.pass(0)
  assert.equal(isThere, false)
  await clock.pass(1_000)
  await loading
})

test('the same seed gives the same faults', async () => {
  const faultsOf = async (seed: number): Promise<boolean[]> => {
    const store = await open({ seed, fail: 0.5 })
    const calls = Array.from({ length: 40 }, () =>
      store.users
        .load(ann)
        .then(() => false)
        .catch(() => true),
    )
    return Promise.all(calls)
  }
  assert.deepEqual(await faultsOf(7), await faultsOf(7))
  assert.notDeepEqual(await faultsOf(7), await faultsOf(8))
})

test('news can be lost', async () => {
  const store = await open({ loseNews: 1 })
  store.bus.subscribe(() => assert.fail('this was lost'))
  await store.bus.publish({ topic: 'context', namespace: NAMESPACE })
  await accept(store, ann)
  assert.equal(store.faults.news, 2)
})

test('what it is told and does not know is refused, so that no test of faults runs without any', async () => {
  await assert.rejects(open({ failRate: 1 } as never), { code: 'option_unknown' })
  for (const wrong of [{ fail: 'all' }, { lose: 2 }, { delay: -1 }, { loseNews: Number.NaN }])
    await assert.rejects(open(wrong as never), { code: 'argument_invalid' })
  assert.throws(() => handClock({ wal: 1 } as never), { code: 'option_unknown' })
  assert.throws(() => handClock().stepWall(Number.NaN), RangeError)
})
