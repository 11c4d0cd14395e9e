import { after, describe, test } from 'node:test'
import { postgresStore } from '../../../src/drivers/postgres/index.ts'
import { storeContract } from '../../../src/testing/index.ts'
import { noPostgres, type PostgresServer, startPostgres } from '../../support/postgres-server.ts'

describe('postgres', { skip: noPostgres }, async () => {
  const server: PostgresServer | undefined = noPostgres ? undefined : await startPostgres()
  after(() => server?.[Symbol.asyncDispose]())
  const urls = new WeakMap<object, string>()
  const open = (url: string): ReturnType<typeof postgresStore> => {
    const store = postgresStore({ url })
    urls.set(store, url)
    return store
  }
  storeContract({
    test,
    open: async () => open(server?.url() ?? ''),
    reopen: async (closed) => open(urls.get(closed) ?? ''),
  })
})
