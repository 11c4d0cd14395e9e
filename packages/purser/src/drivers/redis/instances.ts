import type { InstanceStore, PublishedInstance } from '../../storage/instance-store.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { LIST_INSTANCES, PUBLISH_INSTANCE, REMOVE_INSTANCE } from './scripts/instances.ts'

/** Instances, whose ages the server measures. */
export function createRedisInstances(connection: Connection, { instances }: Keys): InstanceStore {
  const keys = Object.values(instances)
  return {
    async publish({ id, value }, deadAfterMs) {
      await connection.eval(PUBLISH_INSTANCE, keys, [id, value, String(deadAfterMs)])
    },
    async list({ maxAgeMs, limit }) {
      const found = await connection.eval<readonly (string | number)[]>(LIST_INSTANCES, keys, [String(maxAgeMs)])
      const rows: PublishedInstance[] = []
      for (let index = 0; index < found.length; index += 3)
        rows.push({ id: String(found[index]), ageMs: Number(found[index + 1]), value: String(found[index + 2]) })
      return rows.toSorted((left, right) => (left.id < right.id ? -1 : 1)).slice(0, limit)
    },
    async remove(id) {
      await connection.eval(REMOVE_INSTANCE, keys, [id])
    },
  }
}
