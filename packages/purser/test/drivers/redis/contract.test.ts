import { after, describe, test } from 'node:test'
import { redisStore } from '../../../src/drivers/redis/index.ts'
import { storeContract } from '../../../src/testing/index.ts'
import { noRedis, type RedisServer, startRedis } from '../../support/redis-server.ts'

describe('redis', { skip: noRedis }, async () => {
  const server: RedisServer | undefined = noRedis ? undefined : await startRedis()
  after(() => server?.[Symbol.asyncDispose]())
  const urls = new WeakMap<object, string>()
  const open = (url: string): ReturnType<typeof redisStore> => {
    const store = redisStore({ url })
    urls.set(store, url)
    return store
  }
  storeContract({
    test,
    open: async () => open(server?.url() ?? ''),
    reopen: async (closed) => {
      await server?.kill('SIGKILL')
      await server?.restart()
      return open(urls.get(closed) ?? '')
    },
  })
})
