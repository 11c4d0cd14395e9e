import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openPurser, type Purser, PurserError } from '../../src/index.ts'
import type { Store } from '../../src/storage/store.ts'

const by = { actor: 'ann', reason: 'asked' }
const secretKey = Buffer.alloc(32, 7).toString('base64')

/** A store that is slow where it is told to be; closing it cuts what is under way. */
interface SlowStore {
  readonly store: Store
  /** Holds calls of this name back until `letGo`. Resolves when there is the first one. */
  hold(name: string): Promise<void>
  letGo(): void
}

async function slowStore(): Promise<SlowStore> {
  const memory = await openMemoryStore({ effects: systemEffects })
  const gate = Promise.withResolvers<void>()
  gate.promise.catch(() => undefined)
  let held: string | undefined
  let arrived = (): void => undefined

  function slowed<Part extends object>(part: Part): Part {
    return new Proxy(part, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function') return member
        return (...given: unknown[]) => {
          if (key !== held) return Reflect.apply(member, target, given)
          arrived()
          return gate.promise.then(() => Reflect.apply(member, target, given))
        }
      },
    })
  }
  const store: Store = {
    ...memory,
    users: slowed(memory.users),
    events: slowed(memory.events),
    answers: slowed(memory.answers),
    ...slowed({ backup: async () => undefined }),
    async close() {
      gate.reject(new PurserError('store_unavailable', 'The store was closed meanwhile.'))
      await memory.close()
    },
  }
  return {
    store,
    hold(name) {
      held = name
      return new Promise((resolve) => {
        arrived = resolve
      })
    },
    letGo: () => gate.resolve(),
  }
}

/** Calls that may take long, and what of the store each waits for. */
const long: Readonly<Record<string, readonly [held: string, call: (purser: Purser) => Promise<unknown>]>> = {
  users: ['list', async (purser) => await purser.users()],
  overview: ['overview', (purser) => purser.overview()],
  verify: ['oldest', (purser) => purser.verify()],
  checkpoint: ['position', (purser) => purser.checkpoint()],
  backup: ['backup', (purser) => purser.backup('copy.db')],
  "a user's events": ['newest', (purser) => purser.user('ada').ledger.events({ limit: 1_000 })],
  "a user's verify": ['oldest', (purser) => purser.user('ada').ledger.verify()],
}

for (const [name, [held, call]] of Object.entries(long)) {
  test(`close waits for ${name} under way, and takes no new call`, async () => {
    const { store, hold, letGo } = await slowStore()
    const purser = await openPurser({ store, secretKey })
    await purser.user('ada').ledger.block(by)
    const arrived = hold(held)
    const called = call(purser)
    await arrived
    const closing = purser.close()
    await assert.rejects(call(purser), { code: 'closed' })
    letGo()
    await called
    await closing
  })

  test(`${name} that takes longer than close waits is cut with closed`, async () => {
    const { store, hold } = await slowStore()
    const purser = await openPurser({ store, secretKey })
    await purser.user('ada').ledger.block(by)
    const arrived = hold(held)
    const called = assert.rejects(call(purser), { code: 'closed' })
    await arrived
    await purser.close({ timeoutMs: 0 })
    await called
  })
}

test('an export whose page is cut by closing ends with closed', async () => {
  const { store, hold } = await slowStore()
  const purser = await openPurser({ store, secretKey })
  await purser.user('ada').ledger.block(by)
  const arrived = hold('oldest')
  const exported = assert.rejects(Array.fromAsync(purser.user('ada').export()), { code: 'closed' })
  await arrived
  await purser.close({ timeoutMs: 0 })
  await exported
})

test('an erasure that was begun before close gives its receipt, whichever part of it close meets', async () => {
  for (const held of ['load', 'erase', 'forget']) {
    const { store, hold, letGo } = await slowStore()
    const purser = await openPurser({ store, secretKey })
    await purser.user('ada').ledger.block(by)
    const arrived = hold(held)
    const erased = purser.user('ada').erase(by)
    await arrived
    const closing = purser.close()
    await assert.rejects(purser.user('bob').erase(by), { code: 'closed' })
    letGo()
    assert.equal((await erased).erased.bond, 1, held)
    await closing
  }
})

test('an erasure that was committed gives its receipt also when close does not wait for the rest', async () => {
  const { store, hold } = await slowStore()
  const purser = await openPurser({ store, secretKey })
  await purser.user('ada').ledger.block(by)
  const arrived = hold('forget')
  const erased = purser.user('ada').erase(by)
  await arrived
  await purser.close({ timeoutMs: 0 })
  assert.equal((await erased).erased.bond, 1)
})

test('a tail whose page is under way when Purser closes just ends', async () => {
  const { store, hold } = await slowStore()
  const purser = await openPurser({ store, secretKey })
  const arrived = hold('tail')
  const tail = Array.fromAsync(purser.events())
  await arrived
  await purser.close()
  assert.deepEqual(await tail, [])
  assert.throws(() => purser.events(), { code: 'closed' })
})

test('close lets a file be copied, listed and verified to the end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'purser-closing-'))
  try {
    const purser = await openPurser({ store: `sqlite:${join(directory, 'purser.db')}` })
    await Promise.all(Array.from({ length: 100 }, (_, i) => purser.user(`user-${i}`).ledger.block(by)))
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

test('close waits for answers that are being computed, and keeps them', async () => {
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

test('an answer that takes longer to compute than close waits is cancelled, and all who wait for it are told', async () => {
  const purser = await openPurser({ store: 'memory:' })
  const computing = Promise.withResolvers<AbortSignal>()
  const compute = ({ signal }: { readonly signal: AbortSignal }): Promise<never> => {
    computing.resolve(signal)
    return new Promise(() => undefined)
  }
  const waiting = [1, 2].map(() => purser.user('ada').answers.remember('q', compute))
  const told = Promise.all(waiting.map((call) => assert.rejects(call, (error) => PurserError.is(error, 'closed'))))
  const signal = await computing.promise
  await purser.close({ timeoutMs: 0 })
  await told
  assert.equal(signal.aborted, true)
})

test('close does not wait for a lock that another process holds: who waited is told, and the time is kept', async () => {
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
