import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { systemEffects } from '../../../src/core/effects.ts'
import { cachePath } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import type { BusMessage, Store } from '../../../src/storage/store.ts'
import { mustCommit, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { type Child, startChild } from '../../support/start-child.ts'
import { temporaryPath } from '../../support/temporary-store.ts'
import { admitTogether, sum } from '../children/admit-together.ts'
import { nextMessage } from '../next-message.ts'

const NAMESPACE = 'processes'
const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: systemEffects })

interface Listener {
  readonly store: Store
  readonly child: Child
  /** What the child has received so far. */
  received(): string
}

async function withListener(run: (listener: Listener) => Promise<void>): Promise<void> {
  const path = temporaryPath()
  const file = `${path}.received`
  const store = await open(path)
  const child = startChild(new URL('../children/listener.ts', import.meta.url), [path, file])
  try {
    assert.equal(await child.line(), 'ready')
    await run({ store, child, received: () => (existsSync(file) ? readFileSync(file, 'utf8') : '') })
  } finally {
    child.process.kill('SIGKILL')
    await child.exited
    await store.close()
  }
}

test('1,000 attempts of 4 processes on a cap of 100 admit exactly 100 (BL-D05, BL-D09)', async () => {
  for (let round = 0; round < rounds(50, 2); round++) {
    const path = temporaryPath()
    const allowed = await admitTogether({ location: path, attempts: [250, 250, 250, 250], cap: 100 })
    assert.equal(sum(allowed), 100, allowed.join(' + '))
    const store = await open(path)
    const row = await store.users.load({ namespace: NAMESPACE, id: 'ann' })
    assert.equal(row?.usage, '{"steps":100}')
    await store.close()
  }
})

test('processes that write one user without a pause do not starve each other', async () => {
  const path = temporaryPath()
  const attempts = Array<number>(4).fill(rounds(1_000, 100))
  const allowed = await admitTogether({ location: path, attempts, cap: 1_000_000, mode: 'sequential' })
  assert.deepEqual(allowed, attempts)
})

test('a commit of another process is reported as a change of all users of the namespace (BL-D04)', async () => {
  await withListener(async ({ store, child }) => {
    await store.users.load({ namespace: NAMESPACE, id: 'eve' })
    const change = nextMessage(store, (message) => message !== 'gap' && message.topic === 'user')
    child.send('eve')
    assert.equal(await child.line(), 'created eve')
    assert.deepEqual(await change, { topic: 'user', namespace: NAMESPACE })
    assert.equal((await store.users.load({ namespace: NAMESPACE, id: 'eve' }))?.revision, 1)
  })
})

test('publish resolves when every listening process has received the message', async () => {
  await withListener(async ({ store, received }) => {
    const message: BusMessage = { topic: 'context', namespace: NAMESPACE, user: 'ann', detail: 'profile' }
    await store.bus.publish(message)
    assert.ok(received().includes(`${JSON.stringify(message)}\n`), received())
    assert.equal(received().split(JSON.stringify(message)).length - 1, 1, 'received once')
  })
})

test('a killed process does not delay publishers', async () => {
  await withListener(async ({ store, child }) => {
    child.process.kill('SIGKILL')
    await child.exited
    const message: BusMessage = { topic: 'answers', namespace: NAMESPACE }
    await store.bus.publish(message)
    const cache = new DatabaseSync(cachePath(store.traits.location))
    assert.equal(cache.prepare('SELECT count(*) AS listeners FROM listeners_1').get()?.listeners, 0)
    cache.close()
  })
})

test('two stores on one file in one process see the commits of each other, and do not report their own as foreign', async () => {
  const path = temporaryPath()
  const [first, second] = [await open(path), await open(path)]
  const ann = { namespace: NAMESPACE, id: 'ann' }
  await Promise.all([first.users.load(ann), second.users.load(ann)])
  // Commits before the first poll are unknown, so the first poll always reports a change.
  await nextMessage(first, (message) => message !== 'gap' && message.user === undefined)
  const received: string[] = []
  first.bus.subscribe((message) => received.push(JSON.stringify(message)))
  const change = nextMessage(second, (message) => message !== 'gap' && message.topic === 'events')
  await mustCommit(first, ann, withEvents(1, 1))
  assert.deepEqual(await change, { topic: 'events', namespace: NAMESPACE })
  assert.equal(received.length, 2, `of its own commit: ${received}`)
  const reported = nextMessage(first, (message) => message !== 'gap' && message.user === undefined)
  await mustCommit(second, ann, { expect: 1 })
  assert.deepEqual(await reported, { topic: 'user', namespace: NAMESPACE })
  assert.ok(!received.includes('"gap"'))
  await Promise.all([first.close(), second.close()])
})
