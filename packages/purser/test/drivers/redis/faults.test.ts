import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { afterEach, describe, test } from 'node:test'
import { type RedisStoreOptions, redisStore } from '../../../src/drivers/redis/index.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import {
  ann,
  bob,
  createErasure,
  mustCommit,
  NAMESPACE,
  tryCommit,
  withEvents,
} from '../../../src/testing/store-contract/samples.ts'
import { type CuttingProxy, startCuttingProxy } from '../../support/cutting-proxy.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { noRedis, type RedisServer, sharedRedis, startRedis, untilTrue } from '../../support/redis-server.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item[Symbol.asyncDispose]()
})

function open(options: RedisStoreOptions): Store {
  const store = redisStore(options)
  opened.push({ [Symbol.asyncDispose]: () => store.close({ timeoutMs: 100 }) })
  return store
}

async function startServer(args?: readonly string[]): Promise<RedisServer> {
  const server = await startRedis(args === undefined ? {} : { args })
  opened.push(server)
  return server
}

async function startProxy(port: number): Promise<CuttingProxy> {
  const proxy = await startCuttingProxy(port)
  opened.push(proxy)
  return proxy
}

const isUnavailable = (error: unknown): boolean => PurserError.is(error, 'store_unavailable')

/** Calls until one succeeds; the store must recover by itself. */
async function untilAvailable<Result>(call: () => Promise<Result>): Promise<Result> {
  let outcome: { readonly result: Result } | undefined
  await untilTrue(async () => {
    outcome = { result: await call() }
    return true
  }, 'The store does not recover.')
  assert.ok(outcome)
  return outcome.result
}

/** A store with a deadline to miss, once it is connected, and one with time for what has to succeed on a busy machine. */
async function openHurried(url: string, timeoutMs: number): Promise<{ readonly store: Store; readonly other: Store }> {
  const [store, other] = [open({ url, timeoutMs }), open({ url })]
  await untilAvailable(() => store.users.load(ann))
  return { store, other }
}

describe('faults of Redis', { skip: noRedis }, () => {
  test('a killed server: calls are rejected in time, and succeed once it is back, with everything acknowledged', async () => {
    const server = await startServer()
    const { store, other } = await openHurried(server.url(), 500)
    const expect = await mustCommit(other, ann, { measured: 'acknowledged' })
    server.kill('SIGKILL')
    const startedAt = performance.now()
    await assert.rejects(store.users.load(ann), isUnavailable)
    assert.ok(performance.now() - startedAt < 5_000)
    await assert.rejects(tryCommit(store, ann, { expect }), isUnavailable)
    await server.restart()
    assert.equal((await untilAvailable(() => store.users.load(ann)))?.measured, 'acknowledged')
    await untilAvailable(() => tryCommit(store, ann, { expect }))
    assert.equal((await other.users.load(ann))?.revision, expect + 1)
  })

  test('a store that opens before its server is there works once it is', async () => {
    const server = await startServer()
    server.kill('SIGKILL')
    const store = open({ url: server.url(), timeoutMs: 200 })
    await assert.rejects(store.users.load(ann), isUnavailable)
    await server.restart()
    assert.equal(await untilAvailable(() => store.users.load(ann)), undefined)
  })

  test('a server that hangs: no call waits longer than its deadline, and no late reply is taken for another', async () => {
    const server = await startServer()
    const { store, other } = await openHurried(server.url(), 400)
    await mustCommit(other, ann, { measured: 'ann' })
    await mustCommit(other, bob, { measured: 'bob' })
    server.kill('SIGSTOP')
    const hung = await Promise.allSettled([store.users.load(ann), store.users.load(ann), store.users.reply(ann, 'k')])
    assert.deepEqual(
      hung.map((outcome) => outcome.status === 'rejected' && isUnavailable(outcome.reason)),
      [true, true, true],
    )
    server.kill('SIGCONT')
    assert.equal((await untilAvailable(() => store.users.load(bob)))?.measured, 'bob')
    assert.equal((await untilAvailable(() => store.users.load(ann)))?.measured, 'ann')
  })

  test('a commit whose reply is lost has one effect, and its caller learns the outcome', async () => {
    const server = await sharedRedis()
    const proxy = await startProxy(server.port)
    const url = server.url().replace(String(server.port), String(proxy.port))
    const store = open({ url })
    let expect: number | null = null
    const times = rounds(10_000, 200)
    for (let turn = 1; turn <= times; turn++) {
      proxy.cutReplyTo(`turns ${turn} `)
      const commit = { expect, measured: `turns ${turn} `, ...withEvents(turn, turn) }
      expect = await mustCommit(store, ann, commit)
      assert.equal(expect, turn)
    }
    assert.equal(proxy.cuts, times)
    assert.equal((await store.events.oldest(ann, { after: 0, limit: 20_000 })).length, times)
  })

  test('a lost reply after which others committed: still one effect', async () => {
    const server = await sharedRedis()
    const proxy = await startProxy(server.port)
    const url = server.url()
    const store = open({ url: url.replace(String(server.port), String(proxy.port)) })
    const other = open({ url })
    let expect = await mustCommit(store, ann)
    for (let turn = 0; turn < 20; turn++) {
      proxy.cutReplyTo(`cut ${turn} `)
      const [revision] = await Promise.all([
        mustCommit(store, ann, { expect, measured: `cut ${turn} ` }),
        // As soon as it is written, another process writes on top of it.
        (async () => {
          while ((await other.users.load(ann))?.measured !== `cut ${turn} `);
          await tryCommit(other, ann, { expect: expect + 1, measured: 'on top' })
        })(),
      ])
      assert.equal(revision, expect + 1)
      assert.equal((await store.users.load(ann))?.revision, expect + 2)
      expect += 2
    }
  })

  test('an erasure, a value and a lock whose replies are lost have one effect', async () => {
    const server = await sharedRedis()
    const proxy = await startProxy(server.port)
    const store = open({ url: server.url().replace(String(server.port), String(proxy.port)) })
    await mustCommit(store, ann, { ...withEvents(1, 3), records: [{ kind: 'note', name: '1', value: 'a' }] })
    const erasure = await createErasure(store, ann)
    proxy.cutReplyTo('erased 1')
    const outcome = await store.users.erase(ann, erasure)
    assert.ok(outcome.ok)
    assert.deepEqual({ ...outcome.counts }, { user: 1, events: 3, note: 1, answers: 0, turns: 0, usage: 0 })
    assert.equal((await store.events.tail(NAMESPACE, { after: 0, limit: 9 })).length, 1)
    proxy.cutReplyTo('the value')
    assert.equal(await store.meta.compareAndSet('name', undefined, 'the value'), true)
    assert.equal(proxy.cuts, 2)
  })

  test('the scripts of the server are lost at any moment', async () => {
    const server = await sharedRedis()
    const store = open({ url: server.url() })
    let expect: number | null = null
    for (let turn = 0; turn < 20; turn++) {
      const [revision]: [number, unknown] = await Promise.all([
        mustCommit(store, ann, { expect }),
        server.command('SCRIPT', 'FLUSH'),
      ])
      expect = revision
    }
    assert.equal((await store.users.load(ann))?.revision, 20)
  })

  test('a paused server delays calls, or they are rejected at their deadline and have at most one effect', async () => {
    const server = await startServer()
    const { store, other } = await openHurried(server.url(), 300)
    const expect = await mustCommit(other, ann)
    await server.command('CLIENT', 'PAUSE', '100', 'ALL')
    await mustCommit(other, ann, { expect })
    await server.command('CLIENT', 'PAUSE', '60000', 'WRITE')
    await assert.rejects(tryCommit(store, ann, { expect: expect + 1 }), isUnavailable)
    await server.command('CLIENT', 'UNPAUSE')
    const row = await untilAvailable(() => store.users.load(ann))
    assert.ok(row !== undefined && row.revision <= expect + 2)
    await untilAvailable(() => tryCommit(store, ann, { expect: row.revision }))
  })

  test('a full server refuses commits as a whole, says why, and accepts them again when it has memory', async () => {
    const server = await startServer(['--save', '', '--maxmemory-policy', 'noeviction'])
    const store = open({ url: server.url() })
    const expect = await mustCommit(store, ann, { measured: 'before' })
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    const change = { expect, measured: 'after', ...withEvents(1, 1), records: [{ kind: 'k', name: 'n', value: 'v' }] }
    await assert.rejects(
      tryCommit(store, ann, change),
      (error) => PurserError.is(error, 'store_unavailable') && /memory limit/.test(error.hint ?? ''),
    )
    const erasure = await createErasure(store, ann)
    await assert.rejects(store.users.erase(ann, erasure), isUnavailable)
    assert.equal((await store.users.load(ann))?.measured, 'before')
    assert.equal(await store.users.record(ann, 'k', 'n'), undefined)
    assert.equal((await store.users.overview(NAMESPACE)).users, 1)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await mustCommit(store, ann, change)
  })

  test('wrong credentials are reported at once, and no error shows them', async () => {
    const server = await startServer(['--save', ''])
    await server.command('CONFIG', 'SET', 'requirepass', 'right')
    const store = open({ url: `redis://:very-secret@127.0.0.1:${server.port}` })
    await assert.rejects(store.users.load(ann), (error) => {
      assert.ok(PurserError.is(error, 'store_unavailable'))
      assert.match(error.hint ?? '', /password/)
      assert.doesNotMatch(JSON.stringify([error.message, error.details]), /very-secret/)
      return true
    })
    assert.doesNotMatch(store.traits.location, /very-secret/)
  })

  test('a user with the documented rights can do everything, and one without is told what is missing', async () => {
    const server = await startServer(['--save', ''])
    const guide = readFileSync(new URL('../../../../../docs/guides/operations.md', import.meta.url), 'utf8')
    const [, rights = ''] = /ACL SETUSER purser on >PASSWORD ([^`]+)`/.exec(guide) ?? []
    await server.command('ACL', 'SETUSER', 'purser', 'on', '>right', ...rights.split(' '))
    const store = open({ url: `redis://purser:right@127.0.0.1:${server.port}` })
    const received = new Promise((resolve) => store.bus.subscribe(resolve))
    await mustCommit(store, ann, withEvents(1, 1))
    await received
    await store.users.erase(ann, await createErasure(store, ann))
    await store.users.list({ namespace: NAMESPACE, now: 0, orderBy: 'capUsed', order: 'descending', limit: 9 })
    assert.equal((await store.warnings?.())?.length, 1)
    await server.command('ACL', 'SETUSER', 'purser', '-@scripting')
    await assert.rejects(
      tryCommit(store, bob),
      (error) => PurserError.is(error, 'store_unavailable') && /must not run/.test(error.hint ?? ''),
    )
  })

  test('a store of a newer format is refused', async () => {
    const server = await sharedRedis()
    const url = server.url()
    await server.command('HSET', `${new URL(url).searchParams.get('prefix')}:{store}:meta`, 'format', '2')
    await assert.rejects(open({ url }).users.load(ann), (error) => PurserError.is(error, 'store_newer'))
  })

  test('a process whose bus is cut receives gaps, and messages again when it is not', async () => {
    const server = await sharedRedis()
    const proxy = await startProxy(server.port)
    const url = server.url()
    const store = open({ url: url.replace(String(server.port), String(proxy.port)), timeoutMs: 500 })
    const other = open({ url })
    const received: string[] = []
    const waiting: (() => void)[] = []
    store.bus.subscribe((message) => {
      received.push(message === 'gap' ? 'gap' : `${message.user}`)
      for (const notify of waiting.splice(0)) notify()
    })
    const until = async (text: string): Promise<void> => {
      while (!received.includes(text)) await new Promise<void>((resolve) => waiting.push(resolve))
    }
    /** A busy machine may miss the deadline at any moment, and what is published meanwhile is a gap. */
    const publishUntilReceived = (user: string): Promise<void> =>
      untilTrue(async () => {
        await other.bus.publish({ topic: 'context', namespace: NAMESPACE, user })
        return received.includes(user)
      }, 'The bus does not recover.')
    await untilAvailable(() => store.users.load(ann))
    await publishUntilReceived('ann')
    proxy.isSilent = true
    await until('gap')
    proxy.isSilent = false
    await untilAvailable(() => store.users.load(bob))
    await publishUntilReceived('bob')
  })
})
