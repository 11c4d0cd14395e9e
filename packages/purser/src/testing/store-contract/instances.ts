import assert from 'node:assert/strict'
import type { Store } from '../../storage/store.ts'
import type { ContractTest } from './samples.ts'

const HOUR_MS = 3_600_000

async function listed(store: Store, maxAgeMs = HOUR_MS, limit = 10): Promise<string[]> {
  const rows = await store.instances.list({ maxAgeMs, limit })
  for (const { ageMs } of rows) assert.ok(ageMs >= 0 && ageMs < HOUR_MS, `age ${ageMs} ms`)
  return rows.map(({ id, value }) => `${id}=${value}`)
}

export const instances: readonly ContractTest[] = [
  {
    name: 'what a process publishes is listed by its id, replaced by its next row, and gone once it is removed',
    async run(store) {
      assert.deepEqual(await listed(store), [])
      await store.instances.publish({ id: 'b', value: '1' }, HOUR_MS)
      await store.instances.publish({ id: 'a', value: '{"x":"\u00fc"}' }, HOUR_MS)
      assert.deepEqual(await listed(store), ['a={"x":"\u00fc"}', 'b=1'])
      await store.instances.publish({ id: 'b', value: '2' }, HOUR_MS)
      assert.deepEqual(await listed(store), ['a={"x":"\u00fc"}', 'b=2'])
      assert.deepEqual(await listed(store, HOUR_MS, 1), ['a={"x":"\u00fc"}'])
      await store.instances.remove('a')
      await store.instances.remove('a')
      assert.deepEqual(await listed(store), ['b=2'])
    },
  },
  {
    name: 'a process that has published nothing for too long is not listed, and deleted by the next one',
    async run(store) {
      await store.instances.publish({ id: 'dead', value: '' }, HOUR_MS)
      // No age is below 0, so that every row is too old.
      assert.deepEqual(await listed(store, -1), [])
      assert.deepEqual(await listed(store), ['dead='])
      await store.instances.publish({ id: 'alive', value: '' }, -1)
      assert.deepEqual(await listed(store), ['alive='])
    },
  },
]
