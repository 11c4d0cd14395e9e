import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { Subject } from '../../../src/core/subject.ts'
import { cachePath } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import type { Commit } from '../../../src/storage/commit.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import {
  AT,
  createErasure,
  FACETS,
  mustCommit,
  NAMESPACE,
  tagOf,
  withEvents,
} from '../../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: handClock() })

/** A text that is in every stored value of a user, and nowhere else. */
const canaryOf = (user: Subject): string => `canary<${user.id}>`

const userOf = (number: number): Subject => ({ namespace: NAMESPACE, id: `user-${number}-${seed}` })

/** A commit that writes every kind of row, in many sizes. */
function fullCommit(user: Subject, size: number): Partial<Commit> {
  const canary = canaryOf(user)
  const text = canary.padEnd(canary.length + size, canary)
  const events = withEvents(1, 1 + (size % 7), { id: `${canary} `, body: text, type: canary, mac: canary })
  return {
    ...events,
    folded: { head: { sequence: 1 + (size % 7), mac: canary }, headMac: canary, state: text },
    measured: text,
    facets: { ...FACETS, phase: canary, riskLevel: canary, capUsed: 0.5, peak: 1 },
    usage: canary,
    records: ['a', 'b', 'c'].map((name) => ({ kind: canary, name: `${canary}${name}`, value: text })),
    replies: [{ key: canary, digest: canary, result: text, expiresAt: AT }],
  }
}

/** The files of the store that contain the text. */
function filesWith(path: string, text: string): string[] {
  return [path, cachePath(path)]
    .flatMap((file) => [file, `${file}-wal`, `${file}-shm`])
    .filter((file) => existsSync(file) && readFileSync(file).includes(text))
}

async function writeCache(store: Store, user: Subject): Promise<void> {
  const canary = canaryOf(user)
  const key = { user, section: canary, incarnation: 1 }
  const { lease } = await store.lastGood.open(key, canary, 1_000)
  await store.lastGood.put(key, lease ?? '', { value: canary, loadedAt: AT })
  const scope = { namespace: user.namespace, owner: tagOf(user) }
  const generation = await store.answers.generation(scope)
  const row = { owner: scope.owner, key: canary, generation, storedAt: AT, expiresAt: null, bytes: 9, value: canary }
  const limits = { maxEntries: 1_000, maxBytes: 1_000_000, now: AT }
  const batch = { namespace: user.namespace, rows: [row], limits, macKey: Buffer.from(canary).subarray(0, 32) }
  assert.deepEqual(await store.answers.put(batch), { refused: [], evicted: [] })
}

test('after an erasure no byte of the user is in any file or log, also after page splits and merges', async () => {
  printSeed('canaries')
  const path = temporaryPath()
  const store = await open(path)
  const count = rounds(500, 60)
  // Rows that grow, shrink and are deleted make pages split and merge, which leaves unreferenced copies.
  for (let number = 0; number < count; number++) {
    const user = userOf(number)
    await mustCommit(store, user, fullCommit(user, (number * 37) % 900))
    await writeCache(store, user)
  }
  for (let number = 0; number < count; number++) {
    const user = userOf((number * 7) % count)
    const expect = (await store.users.load(user))?.revision ?? 0
    const { records, usage, measured } = fullCommit(user, (number * 613) % 5_000)
    await mustCommit(store, user, {
      expect,
      records: records ?? [],
      usage: usage ?? '',
      measured: measured ?? '',
    })
  }
  for (let number = 0; number < count; number += 2) {
    const user = userOf(number)
    assert.ok(filesWith(path, canaryOf(user)).length > 0, 'the canary was written')
    const outcome = await store.users.erase(user, await createErasure(store, user))
    assert.ok(outcome.ok && (await store.users.purge()))
    assert.equal(outcome.counts.answers, 1)
    assert.deepEqual(filesWith(path, user.id), [], `${user.id} after its erasure`)
  }
  for (let number = 1; number < count; number += 2) {
    const row = await store.users.load(userOf(number))
    assert.equal(row?.head?.mac, canaryOf(userOf(number)), 'the other users are stored')
  }
  await store.close()
})

test('purge is false while a reader needs the log, and wipes it after the reader has ended', async () => {
  const path = temporaryPath()
  const store = await open(path)
  const user = userOf(0)
  await mustCommit(store, user, fullCommit(user, 100))
  const reader = new DatabaseSync(path, { readOnly: true })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM users').get()
  const outcome = await store.users.erase(user, await createErasure(store, user))
  assert.ok(outcome.ok && !(await store.users.purge()))
  assert.equal(await store.users.load(user), undefined)
  assert.ok(filesWith(path, user.id).length > 0)
  reader.exec('COMMIT')
  reader.close()
  const other = userOf(1)
  await mustCommit(store, other, fullCommit(other, 10))
  const next = await store.users.erase(other, await createErasure(store, other))
  assert.ok(next.ok && (await store.users.purge()))
  assert.deepEqual(filesWith(path, user.id), [])
  await store.close()
})

test('the next start finishes a purge that a crash interrupted', async () => {
  const path = temporaryPath()
  const first = await open(path)
  const user = userOf(0)
  await mustCommit(first, user, fullCommit(user, 100))
  await mustCommit(first, userOf(1), fullCommit(userOf(1), 100))
  await writeCache(first, user)
  await first.close()
  // The state after the crash: the user is unreachable and listed, and nothing is wiped.
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
    userOf(1).id,
  )
  // The purge runs in other threads, so the limit is real time.
  const giveUpAt = performance.now() + 60_000
  while (filesWith(path, user.id).length > 0) {
    assert.ok(performance.now() < giveUpAt, `still in ${filesWith(path, user.id)}`)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  assert.notEqual(await second.users.load(userOf(1)), undefined)
  await second.close()
})

test('thousands of rows are wiped in slices, between which other writes run', async () => {
  const path = temporaryPath()
  const store = await open(path)
  const user = userOf(0)
  await mustCommit(store, user, withEvents(1, 3_000, { id: canaryOf(user) }))
  assert.ok((await store.users.erase(user, await createErasure(store, user))).ok)
  const purging = store.users.purge()
  let isPurged = false
  void purging.then(() => {
    isPurged = true
  })
  let written = 0
  while (!isPurged) await mustCommit(store, userOf(++written))
  assert.ok(written > 5, `${written} writes between the slices`)
  assert.ok(await purging)
  await store.close()
})

test('a purge removes the bus messages that name the user, after every process has received them', async () => {
  const path = temporaryPath()
  const [sender, receiver] = [await open(path), await open(path)]
  const received: unknown[] = []
  receiver.bus.subscribe((message) => received.push(message))
  // Published after the receiver was recorded as a listener.
  await receiver.bus.publish({ topic: 'answers', namespace: 'any' })
  const user = userOf(0)
  await mustCommit(sender, user, fullCommit(user, 10))
  assert.ok((await sender.users.erase(user, await createErasure(sender, user))).ok)
  await sender.bus.publish({ topic: 'user', namespace: user.namespace, user: user.id, detail: 'erased' })
  assert.equal(await sender.users.purge(), true)
  assert.deepEqual(filesWith(path, user.id), [])
  assert.ok(received.some((message) => JSON.stringify(message).includes('erased')))
  await sender.bus.publish({ topic: 'context', namespace: user.namespace, user: 'other', detail: 'x' })
  assert.deepEqual(received.at(-1), { topic: 'context', namespace: user.namespace, user: 'other', detail: 'x' })
  await sender.close()
  await receiver.close()
})
