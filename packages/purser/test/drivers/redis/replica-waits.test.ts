import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type RedisStoreOptions, redisStore } from '../../../src/drivers/redis/index.ts'
import type { Link, RedisReply } from '../../../src/drivers/redis/link.ts'
import { ReplicaWaits } from '../../../src/drivers/redis/replica-waits.ts'
import type { Store } from '../../../src/storage/store.ts'
import { ann, mustCommit, NAMESPACE, tryCommit } from '../../../src/testing/store-contract/samples.ts'
import { startCuttingProxy } from '../../support/cutting-proxy.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { noRedis, type RedisServer, startRedis, untilTrue } from '../../support/redis-server.ts'

const ARGS = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--repl-diskless-sync-delay', '0']

/** A replica of the server at a port, which has all of it. */
async function startReplica(port: number): Promise<RedisServer> {
  const replica = await startRedis({ args: [...ARGS, '--replicaof', '127.0.0.1', String(port)] })
  await untilReplica(replica, true)
  return replica
}

function untilReplica(replica: RedisServer, isUp: boolean): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    /master_link_status:up/.test(await replica.command<string>('INFO', 'replication')) === isUp
  return untilTrue(isThere, 'The replica does not connect.')
}

const tooFew = { code: 'store_unavailable', message: /Too few replicas/ }

describe('writes that wait for replicas', { skip: noRedis }, () => {
  for (const wait of [undefined, { replicas: 1, timeoutMs: 300 }]) {
    const loses = wait === undefined ? 'loses acknowledged commits' : 'loses nothing'
    test(`a fail-over behind a cut between the servers ${loses} ${wait === undefined ? 'without' : 'with'} a wait`, async (context) => {
      for (let round = 0; round < rounds(20, 1); round++) {
        await using primary = await startRedis({ args: ARGS })
        await using proxy = await startCuttingProxy(primary.port)
        await using replica = await startReplica(proxy.port)
        const url = primary.url()
        const store = redisStore({ url, timeoutMs: 2_000, ...(wait === undefined ? {} : { wait }) })
        const acknowledged: string[] = []
        let failures = 0
        let isKilled = false
        const onCommit = (): void => {
          if (acknowledged.length >= 1_000) proxy.isSilent = true
          const isDone = wait === undefined ? acknowledged.length >= 2_000 : failures >= 32
          if (!isDone || isKilled) return
          isKilled = true
          primary.kill('SIGKILL')
        }
        const writers = Array.from({ length: 16 }, async (_, writer) => {
          for (let index = 0; !isKilled; index++) {
            const id = `${writer} ${index}`
            const { ok } = await tryCommit(store, { namespace: NAMESPACE, id }).catch(() => ({ ok: false }))
            if (ok) acknowledged.push(id)
            else if (proxy.isSilent) failures++
            onCommit()
          }
        })
        await Promise.all(writers)
        await replica.command('REPLICAOF', 'NO', 'ONE')
        const promoted = redisStore({ url: url.replace(String(primary.port), String(replica.port)) })
        const rows = await Promise.all(acknowledged.map((id) => promoted.users.load({ namespace: NAMESPACE, id })))
        const lost = rows.filter((row) => row === undefined).length
        context.diagnostic(`${acknowledged.length} acknowledged, ${lost} lost`)
        assert.ok(acknowledged.length >= 1_000)
        if (wait === undefined) assert.ok(lost >= 500, `${lost} lost`)
        else assert.equal(lost, 0)
        await Promise.all([store.close({ timeoutMs: 10 }), promoted.close()])
      }
    })
  }

  test('a write that too few replicas confirm is refused, reported, and is one effect when it is sent again', async () => {
    await using primary = await startRedis({ args: ARGS })
    const url = primary.url()
    const store = redisStore({ url: `${url}&waitReplicas=1&waitTimeoutMs=100` })
    await assert.rejects(tryCommit(store, ann), tooFew)
    assert.match((await store.warnings?.())?.join() ?? '', /0 of 1 replicas are connected/)
    assert.equal((await store.users.load(ann))?.revision, 1, 'reads do not wait')
    await using replica = await startReplica(primary.port)
    // The primary counts a replica a moment after that has connected.
    await untilTrue(async () => (await store.warnings?.())?.length === 0, 'The primary does not count its replica.')
    assert.ok((await store.inspect?.())?.some(({ check, ok }) => check === 'store replicas' && ok))
    const patient = redisStore({ url, wait: { replicas: 1, timeoutMs: 30_000 }, timeoutMs: 60_000 })
    assert.equal(await mustCommit(patient, ann, { expect: 1 }), 2)
    assert.match(await replica.command<string>('INFO', 'keyspace'), /keys=/)
    await Promise.all([store.close(), patient.close()])
  })

  test('a commit whose reply is lost waits again, and is one effect', async () => {
    await using primary = await startRedis({ args: ARGS })
    await using replica = await startReplica(primary.port)
    await using proxy = await startCuttingProxy(primary.port)
    const url = primary.url().replace(String(primary.port), String(proxy.port))
    const store = redisStore({ url, wait: { replicas: 1, timeoutMs: 30_000 }, timeoutMs: 60_000 })
    let revision = await mustCommit(store, ann)
    for (let cut = 0; cut < 5; cut++) {
      proxy.cutReplyTo('EVALSHA')
      revision = await mustCommit(store, ann, { expect: revision })
    }
    assert.deepEqual([proxy.cuts, revision, (await store.users.load(ann))?.revision], [5, 6, 6])
    // The server counts what this connection has written: an attempt that finds its commit done has to be confirmed as well.
    replica.kill('SIGSTOP')
    const stopped = redisStore({ url, wait: { replicas: 1, timeoutMs: 200 } })
    proxy.cutReplyTo('EVALSHA')
    await assert.rejects(tryCommit(stopped, ann, { expect: 6 }), tooFew)
    replica.kill('SIGCONT')
    assert.equal((await stopped.users.load(ann))?.revision, 7)
    await Promise.all([store.close(), stopped.close()])
  })

  test('commits that are made at once share a WAIT', async () => {
    await using primary = await startRedis({ args: ARGS })
    await using _replica = await startReplica(primary.port)
    const store = redisStore({ url: primary.url(), wait: { replicas: 1, timeoutMs: 30_000 }, timeoutMs: 60_000 })
    await mustCommit(store, ann)
    const users = Array.from({ length: 500 }, (_, index) => ({ namespace: NAMESPACE, id: `user ${index}` }))
    await Promise.all(users.map((user) => mustCommit(store, user)))
    const calls = Number(/cmdstat_wait:calls=(\d+)/.exec(await primary.command<string>('INFO', 'commandstats'))?.[1])
    assert.ok(calls >= 2 && calls <= 20, `${calls} calls`)
    await store.close()
  })

  test('a server without WAITAOF says so; with it, the flush is waited for', async () => {
    await using primary = await startRedis({ args: ARGS })
    const store = redisStore({ url: `${primary.url()}&waitReplicas=0&waitFsync=true` })
    const isKnown = (await primary.command<readonly unknown[]>('COMMAND', 'INFO', 'WAITAOF'))[0] !== null
    if (isKnown) await mustCommit(store, ann)
    else await assert.rejects(tryCommit(store, ann), { code: 'store_unavailable', message: /does not know WAITAOF/ })
    assert.equal((await store.users.load(ann))?.revision, 1)
    await store.close()
  })
})

/** A link whose server answers as the test says. */
function answeringLink(answer: (args: readonly string[]) => RedisReply): {
  readonly link: Link
  readonly sent: string[]
} {
  const sent: string[] = []
  const link: Link = {
    isLost: false,
    async send(_key, args) {
      sent.push(args.join(' '))
      return answer(args)
    },
    subscribe: async () => undefined,
    destroy: () => undefined,
  }
  return { link, sent }
}

test('WAITAOF counts the flush of the primary and those of the replicas', async () => {
  for (const [reply, isConfirmed] of [
    [[1, 2], true],
    [[1, 3], true],
    [[0, 2], false],
    [[1, 1], false],
  ] as const) {
    const { link, sent } = answeringLink(() => reply)
    const waits = new ReplicaWaits(link, { replicas: 2, fsync: true, timeoutMs: 70 }, 1_000)
    const confirmed = Promise.all([waits.confirm('p:{a/ledger}:x'), waits.confirm('p:{a/ledger}:y')])
    if (isConfirmed) await confirmed
    else await assert.rejects(confirmed, tooFew)
    assert.deepEqual(sent, ['WAITAOF 1 2 70'], 'writes that were sent before it share one')
  }
})

test('namespaces, which may be on several nodes, wait apart', async () => {
  const { link, sent } = answeringLink(() => 1)
  const waits = new ReplicaWaits(link, { replicas: 1, fsync: false, timeoutMs: 70 }, 1_000)
  await Promise.all([waits.confirm('p:{a/ledger}:x'), waits.confirm('p:{b/ledger}:x')])
  await waits.confirm('p:{a/ledger}:x')
  assert.deepEqual(sent, ['WAIT 1 70', 'WAIT 1 70', 'WAIT 1 70'])
})

test('wrong options of the wait and unknown parameters of the URL are refused', async () => {
  const url = 'redis://127.0.0.1:1/0'
  const refused: [RedisStoreOptions, RegExp][] = [
    [{ url, wait: { replicas: 0 } }, /wait.replicas/],
    [{ url, wait: { replicas: 1.5 } }, /wait.replicas/],
    [{ url, wait: { replicas: 1, timeoutMs: 2_501 } }, /wait.timeoutMs/],
    [{ url, wait: { replicas: 1, fsync: 1 as unknown as boolean } }, /wait.fsync/],
    [{ url, wait: { replicas: 1, replica: 2 } as RedisStoreOptions['wait'] & object }, /replica/],
    [{ url, wait: true as unknown as NonNullable<RedisStoreOptions['wait']> }, /'wait'/],
    [{ url: `${url}?waitReplicas=` }, /wait.replicas/],
    [{ url: `${url}?waitReplicas=one` }, /wait.replicas/],
    [{ url: `${url}?waitFsync=yes` }, /wait.fsync/],
    [{ url: `${url}?waitTimeoutMs=100` }, /wait.replicas/],
    [{ url: `${url}?waitReplica=1` }, /Unknown parameter 'waitReplica'/],
  ]
  for (const [options, message] of refused)
    assert.throws(() => redisStore(options), { name: 'PurserError', message }, JSON.stringify(options))
  const accepted: Store[] = [`${url}?waitReplicas=2`, `${url}?waitFsync=true&prefix=p`].map((text) =>
    redisStore({ url: text }),
  )
  await Promise.all(accepted.map((store) => store.close()))
})
