import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { systemEffects } from '../../../src/core/effects.ts'
import { cachePath } from '../../../src/drivers/sqlite/cache/open-cache.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import type { BusMessage, Store } from '../../../src/storage/store.ts'
import { accept, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { rounds } from '../../support/fuzz-options.ts'
import { newPath } from '../../support/temporary-store.ts'
import { type Child, startChild } from '../children/run.ts'

const NAMESPACE = 'processes'
const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: systemEffects })

/** The first message that passes, or a rejection after so long that something must be wrong. */
function heardBy(store: Store, isMeant: (message: BusMessage) => boolean): Promise<BusMessage> {
  return new Promise((resolve, reject) => {
    const cancel = systemEffects.setTimer(() => reject(new Error('Nothing was heard.')), 10_000)
    store.bus.subscribe((message) => {
      if (message === 'gap' || !isMeant(message)) return
      cancel()
      resolve(message)
    })
  })
}

async function withListener(
  run: (given: { store: Store; child: Child; heard: () => string }) => Promise<void>,
): Promise<void> {
  const path = newPath()
  const file = `${path}.heard`
  const store = await open(path)
  const child = startChild('listener.ts', [path, file])
  try {
    assert.equal(await child.line(), 'ready')
    await run({ store, child, heard: () => (existsSync(file) ? readFileSync(file, 'utf8') : '') })
  } finally {
    child.process.kill('SIGKILL')
    await child.over
    await store.close()
  }
}

test('1,000 attempts of 4 processes on a cap of 100 admit exactly 100 (BL-D05, BL-D09)', async () => {
  for (let round = 0; round < rounds(50, 2); round++) {
    const path = newPath()
    const children = Array.from({ length: 4 }, () => startChild('admitter.ts', [path, '250', '100']))
    for (const child of children) assert.equal(await child.line(), 'ready')
    for (const child of children) child.say('go')
    const allowed = await Promise.all(children.map((child) => child.line()))
    await Promise.all(children.map((child) => child.over))
    assert.equal(
      allowed.map(Number).reduce((sum, part) => sum + part),
      100,
      allowed.join(' + '),
    )
    const store = await open(path)
    const row = await store.users.load({ namespace: NAMESPACE, id: 'ann' })
    assert.deepEqual(row?.counters, [{ limit: 'messages', window: 'day', value: 100 }])
    await store.close()
  }
})

test('processes that write one user without a pause do not starve each other', async () => {
  const path = newPath()
  const each = rounds(1_000, 100)
  const children = Array.from({ length: 4 }, () =>
    startChild('admitter.ts', [path, String(each), '1000000', 'in turn']),
  )
  for (const child of children) assert.equal(await child.line(), 'ready')
  for (const child of children) child.say('go')
  const allowed = await Promise.all(children.map((child) => child.line()))
  await Promise.all(children.map((child) => child.over))
  assert.deepEqual(allowed, Array(4).fill(String(each)))
})

test('what another process changes is told here as news of everybody in the namespace (BL-D04)', async () => {
  await withListener(async ({ store, child }) => {
    await store.users.load({ namespace: NAMESPACE, id: 'eve' })
    const news = heardBy(store, ({ topic }) => topic === 'user')
    child.say('eve')
    assert.equal(await child.line(), 'created eve')
    assert.deepEqual(await news, { topic: 'user', namespace: NAMESPACE })
    assert.equal((await store.users.load({ namespace: NAMESPACE, id: 'eve' }))?.revision, 1)
  })
})

test('a message is published when every listening process has been told', async () => {
  await withListener(async ({ store, heard }) => {
    const message: BusMessage = { topic: 'context', namespace: NAMESPACE, user: 'ann', detail: 'profile' }
    await store.bus.publish(message)
    assert.ok(heard().includes(`${JSON.stringify(message)}\n`), heard())
    assert.equal(heard().split(JSON.stringify(message)).length - 1, 1, 'once')
  })
})

test('a process that was killed holds up no publisher', async () => {
  await withListener(async ({ store, child }) => {
    child.process.kill('SIGKILL')
    await child.over
    const message: BusMessage = { topic: 'answers', namespace: NAMESPACE }
    await store.bus.publish(message)
    const cache = new DatabaseSync(cachePath(store.traits.location))
    assert.equal(cache.prepare('SELECT count(*) AS listeners FROM listeners_1').get()?.listeners, 0)
    cache.close()
  })
})

test('two stores on one file in one process see each other, and their own commits are no news from elsewhere', async () => {
  const path = newPath()
  const [first, second] = [await open(path), await open(path)]
  const ann = { namespace: NAMESPACE, id: 'ann' }
  await Promise.all([first.users.load(ann), second.users.load(ann)])
  // What was committed before it began to look is not known, so the first look always brings news.
  await heardBy(first, ({ user }) => user === undefined)
  const told: string[] = []
  first.bus.subscribe((message) => told.push(JSON.stringify(message)))
  const news = heardBy(second, ({ topic }) => topic === 'events')
  await accept(first, ann, withEvents(1, 1))
  assert.deepEqual(await news, { topic: 'events', namespace: NAMESPACE })
  assert.equal(told.length, 2, `of its own commit: ${told}`)
  const back = heardBy(first, ({ user }) => user === undefined)
  await accept(second, ann, { expect: 1 })
  assert.deepEqual(await back, { topic: 'user', namespace: NAMESPACE })
  assert.ok(!told.includes('"gap"'))
  await Promise.all([first.close(), second.close()])
})
