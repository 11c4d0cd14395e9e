import { endsWithin } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import type { MetaStore, Store } from '../../storage/store.ts'
import { createRedisRows } from './all-rows.ts'
import { createRedisAnswers } from './answers.ts'
import { createRedisBus } from './bus.ts'
import { Connection } from './connection.ts'
import { createRedisEvents } from './events.ts'
import { createRedisInstances } from './instances.ts'
import { Keys } from './keys.ts'
import { createRedisLastGood } from './last-good.ts'
import { Namespaces } from './namespaces.ts'
import { COMPARE_AND_SET } from './scripts/meta.ts'
import { inspect, readWarnings } from './server-warnings.ts'
import { createRedisSums } from './sums.ts'
import { type RedisStoreOptions, resolveRedisOptions } from './target.ts'
import { createRedisTurns } from './turns.ts'
import { createRedisUsers } from './users.ts'

export type { Address, RedisAccess, RedisStoreOptions, RedisWaitOptions } from './target.ts'

/**
 * A store in Redis 7 or newer, or Valkey, for many instances. Connects with the first call. A namespace is in one slot of a
 * cluster. Needs the package `redis`.
 *
 * @throws {PurserError} `option_invalid`, `option_unknown`. The calls of the store: `store_unavailable`, `store_newer`.
 * @example
 * ```ts
 * const store = redisStore({ sentinel: { name: 'main', nodes: [{ host: 'sentinel-1', port: 26379 }] } })
 * await using purser = await openPurser({ store, secretKey })
 * ```
 */
export function redisStore(options: RedisStoreOptions): Store {
  const { target, prefix, timeoutMs, wait } = resolveRedisOptions(options)
  const keys = new Keys(prefix)
  const connection = new Connection({ target, timeoutMs }, keys.meta)
  // A connection of their own, because WAIT holds up everything behind it.
  const writes = wait === undefined ? connection : new Connection({ target, timeoutMs, wait }, keys.meta)
  const bus = createRedisBus({ connection, keys, origin: systemEffects.randomId() })
  const answers = createRedisAnswers(connection, keys)
  const lastGood = createRedisLastGood(connection, keys)
  const namespaces = new Namespaces(connection, keys)
  const users = createRedisUsers({
    connection,
    writes,
    keys,
    namespaces,
    bus,
    timeoutMs,
    forgetAnswers: (namespace, owner) => answers.forget({ namespace, owner }),
    dropContexts: (user) => lastGood.drop(user),
  })

  async function closeInOrder(): Promise<void> {
    await bus.close()
    await Promise.all([connection.close(), writes.close()])
  }
  let closing: Promise<void> | undefined
  return {
    traits: { name: 'redis', durable: true, shared: true, location: connection.location, wipesFiles: false },
    meta: createRedisMeta(connection, keys.meta),
    users,
    events: createRedisEvents(connection, keys),
    turns: createRedisTurns(connection, keys),
    sums: createRedisSums(connection, keys),
    rows: createRedisRows({ connection, keys, namespaces }),
    bus,
    answers,
    lastGood,
    instances: createRedisInstances(connection, keys),
    inspect: () => inspect(connection, keys.meta, wait),
    warnings: () => readWarnings(connection, keys.meta, wait),
    async close({ timeoutMs: limitMs = Number.POSITIVE_INFINITY } = {}) {
      closing ??= closeInOrder()
      if (Number.isFinite(limitMs)) await endsWithin(systemEffects, closing, limitMs)
      else await closing
    },
  }
}

function createRedisMeta(connection: Connection, key: string): MetaStore {
  const field = (name: string): string => `value:${name}`
  return {
    async get(name) {
      return (await connection.run<string | null>(key, ['HGET', key, field(name)])) ?? undefined
    },
    async compareAndSet(name, expected, value) {
      const build = (isRetry: boolean): string[] => {
        const isExpected = expected === undefined ? '0' : '1'
        return [field(name), isExpected, expected ?? '', value, isRetry ? '1' : '0']
      }
      return (await connection.eval(COMPARE_AND_SET, [key], build)) === 1
    },
  }
}
