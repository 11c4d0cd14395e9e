import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { Subject } from '../../../src/core/subject.ts'
import { cachePath } from '../../../src/drivers/sqlite/cache/open-cache.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import type { Commit, Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import {
  AT,
  accept,
  erasureOf,
  FACETS,
  NAMESPACE,
  tagOf,
  withEvents,
} from '../../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { newPath } from '../../support/temporary-store.ts'

const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: handClock() })

/** A text that stands in everything that is kept of a user, and nowhere else. */
const canaryOf = (user: Subject): string => `canary<${user.id}>`

const person = (number: number): Subject => ({ namespace: NAMESPACE, id: `person-${number}-${seed}` })

/** Everything of a user in one commit, in rows of all sizes. */
function everything(user: Subject, size: number): Partial<Commit> {
  const canary = canaryOf(user)
  const text = canary.padEnd(canary.length + size, canary)
  const events = withEvents(1, 1 + (size % 7), { id: `${canary} `, body: text, type: canary, mac: canary })
  return {
    ...events,
    folded: { head: { sequence: 1 + (size % 7), mac: canary }, headMac: canary, state: text },
    measured: text,
    facets: { ...FACETS, phase: canary, riskLevel: canary, capUsed: 0.5, peak: 1 },
    counters: [{ limit: canary, window: canary, value: 1 }],
    records: ['a', 'b', 'c'].map((name) => ({ kind: canary, name: `${canary}${name}`, value: text })),
    replies: [{ key: canary, digest: canary, result: text, expiresAt: AT }],
  }
}

/** Where the text still stands, among all files of the store. */
function filesWith(path: string, text: string): string[] {
  return [path, cachePath(path)]
    .flatMap((file) => [file, `${file}-wal`, `${file}-shm`])
    .filter((file) => existsSync(file) && readFileSync(file).includes(text))
}

async function keepElsewhere(store: Store, user: Subject): Promise<void> {
  const canary = canaryOf(user)
  const place = { user, section: canary, incarnation: 1 }
  const { lease } = await store.lastGood.open(place, canary, 1_000)
  await store.lastGood.keep(place, lease ?? '', { value: canary, loadedAt: AT })
  const scope = { namespace: user.namespace, owner: tagOf(user) }
  const generation = await store.answers.generation(scope)
  const row = { key: canary, generation, storedAt: AT, expiresAt: null, used: 1, bytes: 9, value: canary, mac: canary }
  const room = { maxEntries: 1_000, maxBytes: 1_000_000, now: AT, lastUse: () => undefined }
  assert.ok((await store.answers.put(scope, row, room)).written)
}

test('after an erasure no byte of the person is in any file or log, whatever the pages went through', async () => {
  printSeed('canaries')
  const path = newPath()
  const store = await open(path)
  const count = rounds(500, 60)
  // Rows that grow, shrink and go make pages split and merge, which leaves copies that nobody points to.
  for (let number = 0; number < count; number++) {
    const user = person(number)
    await accept(store, user, everything(user, (number * 37) % 900))
    await keepElsewhere(store, user)
  }
  for (let number = 0; number < count; number++) {
    const user = person((number * 7) % count)
    const expect = (await store.users.load(user))?.revision ?? 0
    const { records, counters, measured } = everything(user, (number * 613) % 5_000)
    await accept(store, user, { expect, records: records ?? [], counters: counters ?? [], measured: measured ?? '' })
  }
  for (let number = 0; number < count; number += 2) {
    const user = person(number)
    assert.ok(filesWith(path, canaryOf(user)).length > 0, 'the canary was there')
    const outcome = await store.users.erase(user, await erasureOf(store, user))
    assert.ok(outcome.ok && (await store.users.purge()))
    assert.equal(outcome.counts.answers, 1)
    assert.deepEqual(filesWith(path, user.id), [], `${user.id} after its erasure`)
  }
  for (let number = 1; number < count; number += 2) {
    const row = await store.users.load(person(number))
    assert.equal(row?.head?.mac, canaryOf(person(number)), 'the others are there')
  }
  await store.close()
})

test('a reader that holds up the log is told by the receipt, and wiped behind it when it has gone', async () => {
  const path = newPath()
  const store = await open(path)
  const user = person(0)
  await accept(store, user, everything(user, 100))
  const reader = new DatabaseSync(path, { readOnly: true })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM users').get()
  const outcome = await store.users.erase(user, await erasureOf(store, user))
  assert.ok(outcome.ok && !(await store.users.purge()))
  assert.equal(await store.users.load(user), undefined)
  assert.ok(filesWith(path, user.id).length > 0)
  reader.exec('COMMIT')
  reader.close()
  const other = person(1)
  await accept(store, other, everything(other, 10))
  const next = await store.users.erase(other, await erasureOf(store, other))
  assert.ok(next.ok && (await store.users.purge()))
  assert.deepEqual(filesWith(path, user.id), [])
  await store.close()
})

test('a wipe that a crash interrupted is finished by the next start', async () => {
  const path = newPath()
  const first = await open(path)
  const user = person(0)
  await accept(first, user, everything(user, 100))
  await accept(first, person(1), everything(person(1), 100))
  await keepElsewhere(first, user)
  await first.close()
  // What the crash left: the person is out of reach and noted, and nothing is wiped.
  const database = new DatabaseSync(path)
  database.exec(`
    INSERT INTO purges (uid, namespace, tag, id) SELECT uid, namespace, '${tagOf(user)}', id FROM users WHERE id = '${user.id}';
    PRAGMA secure_delete = ON;
    DELETE FROM users WHERE id = '${user.id}'`)
  database.close()
  const second = await open(path)
  assert.equal(await second.users.load(user), undefined)
  assert.deepEqual(
    await second.events.tail(NAMESPACE, { after: 0, limit: 1 }).then((page) => page[0]?.user),
    person(1).id,
  )
  for (let turn = 0; filesWith(path, user.id).length > 0; turn++) {
    assert.ok(turn < 1_000, `still in ${filesWith(path, user.id)}`)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  assert.notEqual(await second.users.load(person(1)), undefined)
  await second.close()
})

test('thousands of rows are wiped in slices, between which others write', async () => {
  const path = newPath()
  const store = await open(path)
  const user = person(0)
  await accept(store, user, withEvents(1, 3_000, { id: canaryOf(user) }))
  assert.ok((await store.users.erase(user, await erasureOf(store, user))).ok)
  const erasing = store.users.purge()
  let isErased = false
  void erasing.then(() => {
    isErased = true
  })
  let written = 0
  while (!isErased) await accept(store, person(++written))
  assert.ok(written > 5, `${written} writes between the slices`)
  assert.ok(await erasing)
  await store.close()
})

test('news of an erasure that passed between processes is gone with the person, and nobody misses any', async () => {
  const path = newPath()
  const [here, there] = [await open(path), await open(path)]
  const heard: unknown[] = []
  there.bus.subscribe((message) => heard.push(message))
  // What a process sends goes behind its being a listener.
  await there.bus.publish({ topic: 'answers', namespace: 'any' })
  const user = person(0)
  await accept(here, user, everything(user, 10))
  assert.ok((await here.users.erase(user, await erasureOf(here, user))).ok)
  await here.bus.publish({ topic: 'user', namespace: user.namespace, user: user.id, detail: 'erased' })
  assert.equal(await here.users.purge(), true)
  assert.deepEqual(filesWith(path, user.id), [])
  assert.ok(heard.some((message) => JSON.stringify(message).includes('erased')))
  await here.bus.publish({ topic: 'context', namespace: user.namespace, user: 'somebody', detail: 'x' })
  assert.deepEqual(heard.at(-1), { topic: 'context', namespace: user.namespace, user: 'somebody', detail: 'x' })
  await here.close()
  await there.close()
})
