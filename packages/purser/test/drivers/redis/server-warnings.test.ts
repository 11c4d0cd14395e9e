import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPurser } from '../../../src/index.ts'
import { noRedis, startRedis } from '../../support/redis-server.ts'

describe('warnings about the server', { skip: noRedis }, () => {
  test('a server that may evict keys or has no append-only file is reported, and a safe one is not', async () => {
    await using server = await startRedis({ args: ['--save', ''] })
    const secretKey = Buffer.alloc(32).toString('base64')
    await using purser = await openPurser({ store: server.url(), secretKey })
    const matching = async (): Promise<string[]> =>
      (await purser.storeWarnings()).map((warning) => /allkeys-lru|append-only/.exec(warning)?.[0] ?? warning)
    assert.deepEqual(await matching(), ['append-only'])
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    assert.deepEqual(await matching(), ['allkeys-lru', 'append-only'])
    // Only keys with a time to live may be evicted, and the ledger's have none.
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru')
    await server.command('CONFIG', 'SET', 'appendonly', 'yes')
    assert.deepEqual(await matching(), [])
    await purser.user('ann').ledger.admit()
    const keys = await server.command<string[]>('KEYS', '*')
    for (const key of keys) assert.equal(await server.command('TTL', key), -1, key)
  })

  test('stores without a server have no warnings', async () => {
    await using purser = await openPurser({ store: 'memory:' })
    assert.deepEqual(await purser.storeWarnings(), [])
  })
})
