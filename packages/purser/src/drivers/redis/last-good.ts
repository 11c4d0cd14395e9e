import type { LastGoodStore } from '../../storage/last-good-store.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { DROP_CONTEXTS, OPEN_CONTEXT, PUT_CONTEXT } from './scripts/last-good.ts'

/** Last good contexts. A row without a value is a lease whose load has not ended. */
export function createRedisLastGood(connection: Connection, keys: Keys): LastGoodStore {
  const keysOf = (namespace: string): readonly string[] => Object.values(keys.of(namespace).contexts)
  // The first colon ends the id, which is encoded.
  const nameOf = (id: string, section: string): string => `${encodeURIComponent(id)}:${section}`
  return {
    async open({ user, section, incarnation }, candidate, maxRows) {
      const args = [nameOf(user.id, section), String(incarnation), candidate, String(maxRows)]
      const [lease, loadedAt, value] = await connection.eval<readonly (string | null)[]>(
        OPEN_CONTEXT,
        keysOf(user.namespace),
        args,
      )
      if (typeof lease !== 'string') return {}
      return typeof value === 'string' ? { lease, data: { value, loadedAt: Number(loadedAt) } } : { lease }
    },
    async put({ user, section }, lease, { value, loadedAt }) {
      const args = [nameOf(user.id, section), lease, String(loadedAt), value]
      return (await connection.eval<number>(PUT_CONTEXT, keysOf(user.namespace), args)) === 1
    },
    async drop({ namespace, id }, section) {
      const prefix = nameOf(id, '')
      const range =
        section === undefined
          ? [`[${prefix}`, `(${prefix.slice(0, -1)};`]
          : [`[${prefix}${section}`, `[${prefix}${section}`]
      await connection.eval(DROP_CONTEXTS, keysOf(namespace), range)
    },
  }
}
