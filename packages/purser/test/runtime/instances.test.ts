import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { PurserError } from '../../src/errors.ts'
import type { BusMessage } from '../../src/storage/store.ts'
import { fails, openRuntimeHarness, type RuntimeHarness } from '../support/runtime-harness.ts'

const RUNTIME = { defaults: { provider: 'local', mcpServers: ['plain'] } }

/** Resolves with the next message about a user that this instance receives. */
function nextUserMessage({ store }: RuntimeHarness): Promise<BusMessage> {
  return new Promise((resolve) => {
    const unsubscribe = store.bus.subscribe((message) => {
      if (message === 'gap' || message.topic !== 'user') return
      unsubscribe()
      resolve(message)
    })
  })
}

test('changes and erasures in one instance apply in another instance on the same file when their message arrives', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'purser-instances-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const options = {
    path: join(directory, 'purser.db'),
    effects: systemEffects,
    secretKey: { current: randomBytes(32).toString('base64'), previous: [] },
    runtime: RUNTIME,
  }
  const [one, other] = await Promise.all([openRuntimeHarness(options), openRuntimeHarness(options)])
  await using stack = new AsyncDisposableStack()
  stack.use(one)
  stack.use(other)
  const [inOne, inOther] = [one.user('ada'), other.user('ada')]
  await inOne.configure({ region: 'eu' })
  const before = await inOther.acquire()
  assert.deepEqual([before.settings.model, before.settings.version], ['m', 1])

  let received = nextUserMessage(other)
  await inOne.configure({ model: 'n' })
  await received
  const after = await inOther.acquire()
  assert.deepEqual([after.settings.model, after.settings.version], ['n', 2])
  assert.equal(before.settings.model, 'm')

  received = nextUserMessage(one)
  await inOther.configure({ region: 'us' }, { expectedVersion: 2 })
  await received
  await assert.rejects(inOne.configure({ region: 'in' }, { expectedVersion: 2 }), fails('version_conflict'))
  assert.equal((await inOne.settings()).region, 'us')

  received = nextUserMessage(other)
  await one.erase('ada')
  await received
  await assert.rejects(after.mcp('plain'), fails('user_erased'))
  const next = await inOther.acquire()
  assert.deepEqual([next.incarnation, next.settings.version, next.settings.model], [2, 0, 'm'])
  for (const lease of [before, after, next]) lease.release()
})

test('after a write with an unknown outcome, settings and leases show what the store holds', async () => {
  await using harness = await openRuntimeHarness({ runtime: RUNTIME })
  const user = harness.user('ada')
  ;(await user.acquire()).release()
  const { commit } = harness.store.users
  harness.store.users.commit = async (subject, change) => {
    await commit(subject, change)
    throw new PurserError('store_unavailable', 'The answer was lost.')
  }
  await assert.rejects(user.configure({ model: 'n' }), fails('store_unavailable'))
  harness.store.users.commit = commit
  const lease = await user.acquire()
  assert.deepEqual([lease.settings.model, (await user.settings()).model], ['n', 'n'])
  assert.equal((await user.configure({ model: 'm' })).version, 2)
  lease.release()
})

test('a read that began before a change is not used after it', async () => {
  await using harness = await openRuntimeHarness({ runtime: RUNTIME })
  const user = harness.user('ada')
  await user.configure({ region: 'eu' })
  await user.startSession('s', { policy: 'follow' })
  const { record } = harness.store.users
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  harness.store.users.record = async (subject, kind, name) => {
    const value = await record(subject, kind, name)
    reached.resolve()
    await gate.promise
    return value
  }
  const early = user.acquire()
  await reached.promise
  harness.store.users.record = record
  await user.configure({ region: 'us' })
  gate.resolve()
  assert.equal((await early).settings.region, 'us')

  harness.store.users.record = async (subject, kind, name) => {
    const value = await record(subject, kind, name)
    if (kind !== 'session') return value
    harness.store.users.record = record
    await user.startSession('s', { policy: 'pin' })
    return value
  }
  assert.equal((await user.acquire({ session: 's' })).settings.origin.region, 'user')
  assert.equal((await user.acquire({ session: 's' })).settings.origin.region, 'session', 'it is pinned now')
})
