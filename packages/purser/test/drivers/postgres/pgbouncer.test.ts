import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { postgresStore } from '../../../src/drivers/postgres/index.ts'
import { storeContract } from '../../../src/testing/index.ts'
import { mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { noPgbouncer, type Pgbouncer, startPgbouncer } from '../../support/pgbouncer.ts'
import { sharedPostgres } from '../../support/postgres-server.ts'
import { admitTogether, sum } from '../children/admit-together.ts'

const ann = { namespace: 'processes', id: 'ann' }

describe('PostgreSQL behind PgBouncer in transaction mode', { skip: noPgbouncer }, async () => {
  const pooler: Pgbouncer | undefined = noPgbouncer ? undefined : await startPgbouncer(await sharedPostgres())
  after(() => pooler?.[Symbol.asyncDispose]())
  const urls = new WeakMap<object, string>()
  const open = (url = pooler?.url() ?? ''): ReturnType<typeof postgresStore> => {
    const store = postgresStore({ url })
    urls.set(store, url)
    return store
  }

  storeContract({ test, open: async () => open(), reopen: async (closed) => open(urls.get(closed)) })

  test('3 processes on a cap of 100 admit exactly 100', async () => {
    const url = pooler?.url() ?? ''
    const allowed = await admitTogether({ location: url, attempts: [100, 100, 100], cap: 100 })
    assert.equal(sum(allowed), 100)
  })

  test('a change of another process is seen within a second, by a gap', async () => {
    const url = pooler?.url() ?? ''
    const [writer, reader] = [open(url), open(url)]
    await reader.users.load(ann)
    await mustCommit(writer, ann)
    await new Promise<void>((resolve) => {
      reader.bus.subscribe((message) => {
        if (message === 'gap') resolve()
      })
    })
    assert.equal((await reader.users.load(ann))?.revision, 1)
    await Promise.all([writer.close(), reader.close()])
  })
})
