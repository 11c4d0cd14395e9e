import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { redisStore } from '../../../src/drivers/redis/index.ts'
import { Keys } from '../../../src/drivers/redis/keys.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import { storeContract } from '../../../src/testing/index.ts'
import { ann, bob, HOSTILE_IDS, mustCommit, NAMESPACE } from '../../../src/testing/store-contract/samples.ts'
import { findFreePort } from '../../support/free-port.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { noRedis, type RedisServer, startRedis, untilTrue } from '../../support/redis-server.ts'

let prefixes = 0
const nextPrefix = (): string => `topology_${++prefixes}`

const servers: RedisServer[] = []
async function start(options: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
  const server = await startRedis(options)
  servers.push(server)
  return server
}

after(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
})

const until = (check: () => Promise<boolean>): Promise<void> => untilTrue(check, 'It does not become true.')

/** The text that a cluster hashes: what is between the first brace and the next closing one, unless it is empty. */
function hashTag(key: string): string {
  const open = key.indexOf('{')
  const close = key.indexOf('}', open + 1)
  return open === -1 || close <= open + 1 ? key : key.slice(open + 1, close)
}

test('all keys of a namespace that one call uses have one hash tag, and different texts have different keys', () => {
  const keys = new Keys('purser')
  const characters = ['{', '}', ':', '/', '%', '\0', ' ', 'a', 'ä', '😀', '}{', '{}', '\n', '..']
  const pick = (seed: number): string => {
    let text = ''
    for (let rest = seed; rest > 0; rest = Math.floor(rest / characters.length))
      text += characters[rest % characters.length]
    return text
  }
  const seen = new Map<string, string>()
  const ids = [...HOSTILE_IDS, ...Array.from({ length: 100_000 }, (_, index) => pick(index * 7_919 + 1))]
  for (const [index, id] of ids.entries()) {
    const namespace = ids[(index * 31) % 97] as string
    const { ledger, answers, contexts } = keys.of(namespace)
    const ofUser = Object.values(keys.user({ namespace, id }))
    assert.equal(new Set([...ofUser, ...Object.values(ledger)].map(hashTag)).size, 1, id)
    assert.equal(new Set([...Object.values(answers), ...Object.values(contexts)].map(hashTag)).size, 1, namespace)
    const [key = ''] = ofUser
    const owner = JSON.stringify([namespace, id])
    assert.equal(seen.get(key) ?? owner, owner)
    seen.set(key, owner)
  }
})

describe('a cluster of three', { skip: noRedis }, () => {
  const nodes: RedisServer[] = []
  const clusterOptions = (): { nodes: { host: string; port: number }[] } => ({
    nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
  })

  before(async () => {
    for (let node = 0; node < 3; node++) {
      const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '30000', '--appendonly', 'yes', '--save', '']
      nodes.push(await start({ args }))
    }
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { stdio: 'ignore' })
    for (const node of nodes)
      await until(async () => (await node.command<string>('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  })

  const prefixOf = new WeakMap<object, string>()
  const open = (prefix: string): Store => {
    const store = redisStore({ cluster: clusterOptions(), prefix })
    prefixOf.set(store, prefix)
    return store
  }
  storeContract({
    test,
    prefix: 'cluster: ',
    open: async () => open(nextPrefix()),
    reopen: async (closed) => open(prefixOf.get(closed) as string),
  })

  test('hostile ids and namespaces, each call in one slot', async () => {
    const store = open(nextPrefix())
    for (const id of [...HOSTILE_IDS, '{', '}', '{}', '{a}b', '}{'])
      await mustCommit(store, { namespace: id, id }, { measured: id })
    for (const id of [...HOSTILE_IDS, '{', '}', '{}', '{a}b', '}{'])
      assert.equal((await store.users.load({ namespace: id, id }))?.measured, id)
    await store.close()
  })

  test('a slot that moves to another node under load loses nothing', async () => {
    const prefix = nextPrefix()
    const store = open(prefix)
    let expect = await mustCommit(store, ann)
    const key = new Keys(prefix).user(ann).user
    const [first] = nodes
    assert.ok(first)
    const slot = await first.command<number>('CLUSTER', 'KEYSLOT', key)
    const owners = await Promise.all(
      nodes.map((node) => node.command<string>('CLUSTER', 'COUNTKEYSINSLOT', String(slot))),
    )
    const from = nodes[owners.findIndex((amount) => Number(amount) > 0)] as RedisServer
    const to = nodes.find((node) => node !== from) as RedisServer
    let isMoving = true
    const writes = (async () => {
      while (isMoving) expect = await mustCommit(store, ann, { expect })
    })()
    await moveSlot(String(slot), from, to)
    isMoving = false
    await writes
    assert.equal((await store.users.load(ann))?.revision, expect)
    await mustCommit(store, ann, { expect })
    await store.close()
  })

  async function moveSlot(slot: string, from: RedisServer, to: RedisServer): Promise<void> {
    const [fromId, toId] = await Promise.all([from, to].map((node) => node.command<string>('CLUSTER', 'MYID')))
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(fromId))
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(toId))
    for (;;) {
      const keys = await from.command<string[]>('CLUSTER', 'GETKEYSINSLOT', slot, '100')
      if (keys.length === 0) break
      await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys)
    }
    for (const node of [to, from, ...nodes]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(toId))
  }
})

describe('a primary that sentinels watch', { skip: noRedis }, () => {
  test('after each fail-over the store writes to the new primary', async () => {
    const replicaOf = (port: number): string[] => ['--replicaof', '127.0.0.1', String(port)]
    const args = ['--appendonly', 'yes', '--save', '']
    const first = await start({ args })
    await start({ args: [...args, ...replicaOf(first.port)] })
    const port = await findFreePort()
    const config = `sentinel monitor main 127.0.0.1 ${first.port} 1
sentinel down-after-milliseconds main 30000
sentinel failover-timeout main 2000
`
    const sentinel = await start({ port, config, args: ['--sentinel'] })
    // Its rounds of ten and two seconds, which this test would wait for several times. Redis 6 cannot change them.
    await sentinel.command('SENTINEL', 'DEBUG', 'info-period', '500', 'publish-period', '200').catch(() => undefined)
    const store = redisStore({
      sentinel: { name: 'main', nodes: [{ host: '127.0.0.1', port }] },
      prefix: nextPrefix(),
      timeoutMs: 10_000,
    })
    const primary = async (): Promise<string | undefined> =>
      (await sentinel.command<string[]>('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main'))[1]
    const hasReplica = async (): Promise<boolean> => {
      const replicas = await sentinel.command<string[][]>('SENTINEL', 'REPLICAS', 'main')
      return replicas.some((fields) => fields[fields.indexOf('master-link-status') + 1] === 'ok')
    }
    await until(hasReplica)
    let expect = await mustCommit(store, ann)
    for (let failOver = 0; failOver < rounds(20, 2); failOver++) {
      const before = await primary()
      await until(async () => (await sentinel.command('SENTINEL', 'FAILOVER', 'main')) === 'OK')
      await until(async () => (await primary()) !== before)
      await until(hasReplica)
      // A store that was without a primary for its deadline rejects calls at once, until it has found the new one.
      await until(async () => (await store.users.load(bob)) === undefined)
      // Replication is asynchronous: what the old primary acknowledged last may be lost, so the row is read again.
      expect = (await store.users.load(ann))?.revision ?? 0
      expect = await mustCommit(store, ann, { expect })
    }
    await mustCommit(store, bob)
    assert.equal((await store.users.overview(NAMESPACE)).users, 2)
    await store.close()
  })

  test('sentinels that do not know the primary are reported', async () => {
    const nodes = [{ host: '127.0.0.1', port: await findFreePort() }]
    const store = redisStore({ sentinel: { name: 'other', nodes }, timeoutMs: 200 })
    await assert.rejects(store.users.load(ann), (error) => PurserError.is(error, 'store_unavailable'))
    await store.close()
  })
})
