import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openPurser, type Purser, PurserError } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import type { Store } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const by = { actor: 'ann', reason: 'requested' }
const secretKey = Buffer.alloc(32, 7).toString('base64')

/** A store that can hold calls back. Closing it rejects the calls that are held back. */
interface SlowStore {
  readonly store: Store
  /** Holds calls of this method back until `release`. Resolves when the first one arrives. */
  hold(method: string): Promise<void>
  release(): void
}

async function openSlowStore(): Promise<SlowStore> {
  const memory = await openMemoryStore({ effects: systemEffects })
  const gate = Promise.withResolvers<void>()
  gate.promise.catch(() => undefined)
  let heldMethod: string | undefined
  let arrived = (): void => undefined

  function delayed<Target extends object>(object: Target): Target {
    return new Proxy(object, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => {
          if (key !== heldMethod) return Reflect.apply(member, target, args)
          arrived()
          return gate.promise.then(() => Reflect.apply(member, target, args))
        }
      },
    })
  }
  const store: Store = {
    ...memory,
    users: delayed(memory.users),
    events: delayed(memory.events),
    answers: delayed(memory.answers),
    ...delayed({ backup: async () => undefined }),
    async close() {
      gate.reject(new PurserError('store_unavailable', 'The store was closed.'))
      await memory.close()
    },
  }
  return {
    store,
    hold(method) {
      heldMethod = method
      return new Promise((resolve) => {
        arrived = resolve
      })
    },
    release: () => gate.resolve(),
  }
}

/** Calls that may take long, and the method of the store that each waits for. */
const longCalls: Readonly<Record<string, readonly [method: string, call: (purser: Purser) => Promise<unknown>]>> = {
  users: ['list', async (purser) => await purser.users()],
  overview: ['overview', (purser) => purser.overview()],
  verify: ['oldest', (purser) => purser.verify()],
  checkpoint: ['position', (purser) => purser.checkpoint()],
  backup: ['backup', (purser) => purser.backup('copy.db')],
  "a user's events": ['newest', (purser) => purser.user('ada').ledger.events({ limit: 1_000 })],
  "a user's verify": ['oldest', (purser) => purser.user('ada').ledger.verify()],
}

for (const [name, [method, call]] of Object.entries(longCalls)) {
  test(`close waits for a pending call of ${name} and rejects new calls`, async () => {
    const { store, hold, release } = await openSlowStore()
    const purser = await openPurser({ store, secretKey })
    await purser.user('ada').ledger.block(by)
    const arrived = hold(method)
    const called = call(purser)
    await arrived
    const closing = purser.close()
    await assert.rejects(call(purser), { code: 'closed' })
    release()
    await called
    await closing
  })

  test(`${name} rejects with closed if it takes longer than the close timeout`, async () => {
    const { store, hold } = await openSlowStore()
    const purser = await openPurser({ store, secretKey })
    await purser.user('ada').ledger.block(by)
    const arrived = hold(method)
    const called = assert.rejects(call(purser), { code: 'closed' })
    await arrived
    await purser.close({ timeoutMs: 0 })
    await called
  })
}

test('an export rejects with closed if closing interrupts it', async () => {
  const { store, hold } = await openSlowStore()
  const purser = await openPurser({ store, secretKey })
  await purser.user('ada').ledger.block(by)
  const arrived = hold('oldest')
  const exported = assert.rejects(Array.fromAsync(purser.user('ada').export()), { code: 'closed' })
  await arrived
  await purser.close({ timeoutMs: 0 })
  await exported
})

test('an erasure that began before close returns its receipt, whatever step it is in', async () => {
  for (const method of ['load', 'erase', 'forget']) {
    const { store, hold, release } = await openSlowStore()
    const purser = await openPurser({ store, secretKey })
    await purser.user('ada').ledger.block(by)
    const arrived = hold(method)
    const erased = purser.user('ada').erase(by)
    await arrived
    const closing = purser.close()
    await assert.rejects(purser.user('bob').erase(by), { code: 'closed' })
    release()
    assert.equal((await erased).erased.bond, 1, method)
    await closing
  }
})

test('a committed erasure returns its receipt even if close does not wait for its remaining steps', async () => {
  const { store, hold } = await openSlowStore()
  const purser = await openPurser({ store, secretKey })
  await purser.user('ada').ledger.block(by)
  const arrived = hold('forget')
  const erased = purser.user('ada').erase(by)
  await arrived
  await purser.close({ timeoutMs: 0 })
  assert.equal((await erased).erased.bond, 1)
})

test('a live tail with a pending page ends without an error when Purser closes', async () => {
  const { store, hold } = await openSlowStore()
  const purser = await openPurser({ store, secretKey })
  const arrived = hold('tail')
  const tail = Array.fromAsync(purser.events())
  await arrived
  await purser.close()
  assert.deepEqual(await tail, [])
  assert.throws(() => purser.events(), { code: 'closed' })
})

test('close waits until a file store is backed up, listed and verified', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-closing-'))
  try {
    const purser = await openPurser({ store: `sqlite:${join(directory, 'purser.db')}` })
    await Promise.all(Array.from({ length: 100 }, (_, index) => purser.user(`user-${index}`).ledger.block(by)))
    const copied = purser.backup(join(directory, 'copy.db'))
    const verified = purser.verify()
    const listed = purser.users({ limit: 1_000 }).then((page) => page)
    const erased = purser.user('user-1').erase(by)
    await purser.close()
    await copied
    assert.equal((await verified).ok, true)
    assert.ok((await listed).users.length >= 99)
    assert.equal((await erased).erased.bond, 1)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('close waits for answers that are being computed, and caches them', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-closing-'))
  try {
    const store = `sqlite:${join(directory, 'purser.db')}`
    const purser = await openPurser({ store })
    const computing = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<string>()
    const compute = (): Promise<string> => {
      computing.resolve()
      return answer.promise
    }
    const remembered = purser.user('ada').answers.remember('q', compute)
    await computing.promise
    const closed = purser.close()
    await assert.rejects(purser.user('ada').answers.remember('other', compute), (error) =>
      PurserError.is(error, 'closed'),
    )
    answer.resolve('a')
    assert.deepEqual(await remembered, { answer: 'a', source: 'computed' })
    await closed
    await using again = await openPurser({ store })
    assert.equal((await again.user('ada').answers.lookup('q'))?.answer, 'a')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('an answer that takes longer to compute than the close timeout is aborted, and all its callers are rejected', async () => {
  const purser = await openPurser({ store: 'memory:' })
  const computing = Promise.withResolvers<AbortSignal>()
  const compute = ({ signal }: { readonly signal: AbortSignal }): Promise<never> => {
    computing.resolve(signal)
    return new Promise(() => undefined)
  }
  const waiting = [1, 2].map(() => purser.user('ada').answers.remember('q', compute))
  const rejected = Promise.all(waiting.map((call) => assert.rejects(call, (error) => PurserError.is(error, 'closed'))))
  const signal = await computing.promise
  await purser.close({ timeoutMs: 0 })
  await rejected
  assert.equal(signal.aborted, true)
})

test('close does not wait for turns that nothing reads, and drains those that are read', async () => {
  const clock = handClock()
  const purser = await openPurser({
    store: 'memory:',
    effects: clock,
    providers: { demo: { kind: 'demo' } },
    runtime: { defaults: { provider: 'demo', model: 'demo' } },
  })
  const request: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }], stream: true }
  const [unread, read, late] = await Promise.all([1, 2, 3].map(() => purser.user('ada').turn(request)))
  assert.ok(unread?.allowed && read?.allowed && late?.allowed)
  const chunks = read.chunks[Symbol.asyncIterator]()
  await chunks.next()
  const closing = purser.close()
  // A caller that begins to read a moment after close has begun still gets its answer.
  const lateChunks = Array.fromAsync(late.chunks)
  clock.advance(100)
  let count = 1
  while (!(await chunks.next()).done) count++
  assert.ok(count > 1)
  assert.ok((await lateChunks).length > 1)
  await closing
  await assert.rejects(Array.fromAsync(unread.chunks), { code: 'turn_consumed' })
})

test('close does not wait for a lock of another process: waiting calls are rejected within the timeout', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-closing-'))
  const path = join(directory, 'purser.db')
  try {
    const purser = await openPurser({ store: `sqlite:${path}` })
    await purser.user('ada').ledger.admit()
    using other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const waiting = Promise.allSettled(Array.from({ length: 1_000 }, () => purser.user('ada').ledger.admit()))
    await purser.close({ timeoutMs: 0 })
    assert.ok(other.isTransaction, 'the lock is still held')
    for (const outcome of await waiting) assert.ok(outcome.status === 'rejected' && PurserError.is(outcome.reason))
    other.exec('ROLLBACK')
    await using again = await openPurser({ store: `sqlite:${path}` })
    assert.equal((await again.user('ada').ledger.quota()).count, 1)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
