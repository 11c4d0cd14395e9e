import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { ANSWER_LIMITS } from '../../src/answers/limits.ts'
import { createSubject } from '../../src/core/subject.ts'
import { createMemoryAnswers } from '../../src/drivers/memory/answers.ts'
import { createExpiryHeap } from '../../src/drivers/memory/expiry-heap.ts'
import type { AnswerStore } from '../../src/storage/answer-store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import {
  alice,
  bob,
  drivers,
  localDrivers,
  onEveryDriver,
  openAnswersHarness,
  openSqlite,
} from '../support/answers-harness.ts'
import { rounds } from '../support/fuzz-options.ts'

/** A store that records how often each row is touched, and how many rows each write touches. */
function recordTouches(store: AnswerStore): {
  readonly store: AnswerStore
  readonly touched: Map<string, number>
  readonly writes: number[]
} {
  const touched = new Map<string, number>()
  const writes: number[] = []
  const touch: AnswerStore['touch'] = (namespace, uses) => {
    writes.push(uses.length)
    for (const { key } of uses) touched.set(key, (touched.get(key) ?? 0) + 1)
    return store.touch(namespace, uses)
  }
  return { store: { ...store, touch }, touched, writes }
}

onEveryDriver(
  'many hits in a minute touch each entry at most twice, in few writes (CM-02)',
  async (open) => {
    const entries = rounds(10_000, 1_000)
    const hits = rounds(1_000_000, 20_000)
    const { store, touched, writes } = recordTouches((await open()).store)
    const { answers, clock } = await open({ store })
    const own = answers.of(alice)
    for (let n = 0; n < entries; n++) await own.remember({ n }, () => n)
    let hit = 0
    for (let second = 1; second <= 60; second++) {
      const before = writes.length
      for (; hit < (second * hits) / 60; hit++) {
        const found = await own.lookup({ n: (hit * 31) % entries })
        assert.equal(found?.answer, (hit * 31) % entries)
      }
      assert.equal(writes.length, before, 'a hit does not write')
      await clock.pass(1_000)
    }
    assert.ok(Math.max(...touched.values()) <= 2)
    assert.equal(touched.size, entries)
    assert.ok(writes.length <= Math.ceil(2 * (entries / ANSWER_LIMITS.stepRows)) + 2, `${writes.length} writes`)
    assert.ok(Math.max(...writes) <= ANSWER_LIMITS.stepRows)
  },
  localDrivers,
)

test('without hits nothing is touched and no timer runs (CM-02)', async () => {
  const { store, writes } = recordTouches(createMemoryAnswers())
  const { answers, clock } = await openAnswersHarness({ store })
  await answers.of(alice).remember('q', () => 1)
  await clock.pass(ANSWER_LIMITS.writeDelayMs)
  const { timers } = clock
  await clock.pass(600_000)
  assert.equal(clock.timers, timers)
  await answers.flush()
  assert.deepEqual(writes, [])
})

onEveryDriver(
  'flush writes the collected accesses; a crash before it loses only these (CM-16, CM-19)',
  async (open) => {
    const { answers, store } = await open({ answers: { maxEntries: 2 } })
    await answers.of(alice).remember('a', () => 'a')
    await answers.of(alice).remember('b', () => 'b')
    await answers.of(alice).lookup('a')
    await answers.flush()
    const after = await openAnswersHarness({ store, answers: { maxEntries: 2 } })
    after.clock.advance(1)
    await after.answers.of(alice).remember('c', () => 'c')
    await after.answers.flush()
    assert.equal((await after.answers.of(alice).lookup('a'))?.answer, 'a')
    assert.equal(await after.answers.of(alice).lookup('b'), undefined)
  },
)

test('answers survive a restart with their dates and their order of access (CM-19, CM-01)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-restart-'))
  try {
    const clock = handClock()
    const first = await openSqlite(join(folder, 'cache.db'))
    const before = await openAnswersHarness({ store: first.store, clock })
    await before.answers.of(alice).remember('q', () => ({ text: 'cached' }))
    await before.answers.close()
    await first.close()
    clock.advance(5_000)
    const second = await openSqlite(join(folder, 'cache.db'))
    const { answers } = await openAnswersHarness({ store: second.store, clock })
    assert.deepEqual(await answers.of(alice).lookup('q'), {
      answer: { text: 'cached' },
      storedAt: '2026-01-01T12:00:00.000Z',
      expiresAt: '2026-01-08T12:00:00.000Z',
    })
    assert.equal(answers.stats().file, join(folder, 'cache.db'))
    assert.equal((statSync(join(folder, 'cache.db')).mode & 0o777).toString(8), '600')
    await second.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a wall clock that went back between two runs does not revive expired answers', async () => {
  const store = createMemoryAnswers()
  const before = await openAnswersHarness({ store, answers: { ttlMs: 1_800_000 } })
  await before.answers.of(alice).remember('old', () => 1)
  before.clock.advance(1_900_000)
  await before.answers.of(alice).remember('new', () => 2)
  await before.answers.flush()
  const after = await openAnswersHarness({ store, answers: { ttlMs: 1_800_000 } })
  assert.equal(after.clock.now(), before.clock.now() - 1_900_000)
  assert.equal((await after.answers.of(alice).lookup('new'))?.answer, 2)
  assert.equal(await after.answers.of(alice).lookup('old'), undefined)
})

test('an answer from far in the future is not served', async () => {
  const store = createMemoryAnswers()
  const ahead = await openAnswersHarness({ store, clock: handClock({ wall: '2036-01-01T00:00:00Z' }) })
  await ahead.answers.of(alice).remember('q', () => 1)
  await ahead.answers.flush()
  const { answers } = await openAnswersHarness({ store })
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver(
  'after tenfold churn, entries and bytes are within the limits and counted exactly (CM-D08)',
  async (open) => {
    const maxBytes = 400_000
    const { answers, store, clock } = await open({ answers: { maxBytes, maxEntries: 150 } })
    for (let n = 0; n < 1_500; n++) {
      await answers.of(n % 3 === 0 ? bob : alice).remember({ n }, () => 'x'.repeat((n * 7_919) % 6_000))
      if (n % 10 === 0) await answers.of(alice).lookup({ n: n - 5 })
      if (n % 400 === 399) await answers.of(bob).forget()
      clock.advance(100)
    }
    await answers.flush()
    const { entries, bytes } = answers.stats()
    assert.ok(entries <= 150 && bytes <= maxBytes)
    const rows = []
    for (const user of [alice, bob]) rows.push(...(await Array.fromAsync(answers.of(user).exportRows())))
    assert.equal(rows.length, entries)
    assert.equal(store.totals('default', 0).bytes, bytes)
    await answers.of(alice).forget()
    await answers.of(bob).forget()
    assert.deepEqual(store.totals('default', 0), { entries: 0, bytes: 0, expired: 0 })
  },
)

onEveryDriver(
  'forgotten answers that are not swept yet are removed first and do not count as evictions (CM-15)',
  async (open) => {
    const { answers } = await open({ answers: { maxEntries: 3 } })
    for (let n = 0; n < 3; n++) await answers.of(alice).remember({ n }, () => n)
    await answers.of(alice).forget()
    for (let n = 0; n < 4; n++) await answers.of(bob).remember({ n }, () => n)
    await answers.flush()
    const { entries, evictions } = answers.stats()
    assert.deepEqual({ entries, evictions }, { entries: 3, evictions: 1 })
    assert.equal(await answers.of(bob).lookup({ n: 0 }), undefined)
  },
)

test('after tenfold churn the file is at most a tenth and a batch larger than the limit, and its log is limited', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-churn-'))
  const path = join(folder, 'cache.db')
  const maxBytes = rounds(64, 8) * 1_048_576
  const { store, close } = await openSqlite(path)
  try {
    const { answers } = await openAnswersHarness({ store, answers: { maxBytes, maxEntries: 1_000_000 } })
    const meanBytes = 20_000
    const text = 'x'.repeat(2 * meanBytes)
    const puts = Math.ceil((10 * maxBytes) / meanBytes)
    for (let n = 0; n < puts; n += 20) {
      const some = Array.from({ length: 20 }, (_, k) => n + k)
      await Promise.all(
        some.map((m) => answers.of(alice).remember(m, () => text.slice(0, (m * 7_919) % (2 * meanBytes)))),
      )
      await answers.of(alice).lookup(n - 100)
    }
    assert.ok(answers.stats().bytes > 0.9 * maxBytes)
    await answers.flush()
    const batch = 1.1 * ANSWER_LIMITS.maxBatchBytes
    const { size } = statSync(path)
    assert.ok(size <= 1.1 * maxBytes + batch, `${size} bytes for a limit of ${maxBytes}`)
    // A batch is added and as much is overwritten before the log is moved into the file.
    const { size: log } = statSync(`${path}-wal`)
    assert.ok(log <= 33_554_432 + 3 * batch, `${log} bytes of log`)
  } finally {
    await close()
    rmSync(folder, { recursive: true })
  }
})

test('the bytes of a forgotten user are removed from all files by the next sweep', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-forget-'))
  const path = join(folder, 'cache.db')
  const { store, close } = await openSqlite(path)
  try {
    const { answers, clock } = await openAnswersHarness({ store })
    for (let n = 0; n < 1_200; n++) await answers.of(alice).remember({ n }, () => `canary ${'x'.repeat(n)}`)
    await answers.of(bob).remember('q', () => 'of bob')
    await answers.flush()
    const files = (): Buffer[] => ['', '-wal'].map((ending) => readFileSync(`${path}${ending}`))
    assert.ok(files().some((file) => file.includes('canary')))
    assert.equal(await answers.of(alice).forget(), 1_200)
    await clock.pass(1)
    assert.ok(!files().some((file) => file.includes('canary')))
    assert.equal((await answers.of(bob).lookup('q'))?.answer, 'of bob')
  } finally {
    await close()
    rmSync(folder, { recursive: true })
  }
})

for (const [name, openStore] of Object.entries(drivers)) {
  test(`remains of a forgotten or cleared scope after a crash are swept by the next process (${name})`, async () => {
    const { store, close } = await openStore()
    const { answers } = await openAnswersHarness({ store })
    const user = (n: number): ReturnType<typeof createSubject> => createSubject('default', `user ${n}`)
    for (let n = 0; n < 30; n++) await answers.of(user(n % 3)).remember({ n }, () => n)
    await answers.of(user(0)).forget()
    await answers.clear()
    await answers.of(user(1)).remember('cached', () => 'cached')
    await answers.flush()
    const next = await openAnswersHarness({ store })
    await next.answers.of(user(2)).lookup('nothing')
    await next.clock.pass(60_000)
    assert.equal((await next.answers.of(user(1)).lookup('cached'))?.answer, 'cached')
    assert.equal(await store.sweep('default', { now: 0, limit: 100 }), 0)
    assert.equal(next.answers.stats().entries, 1)
    await close()
  })
}

test('the expiry order finds the entry that expires first, and does not grow with removed entries', () => {
  const rows = new Map<number, { readonly expiresAt: number }>()
  const order = createExpiryHeap<{ readonly expiresAt: number }>({
    isCurrent: (row) => [...rows.values()].includes(row),
    live: () => rows.size,
  })
  for (let n = 0; n < 500; n++) {
    const row = { expiresAt: (n * 7_919) % 1_000 }
    rows.set(n % 50, row)
    order.add(row)
    assert.ok(order.size <= 2 * 50 + 64)
  }
  const due = [...rows.values()].filter(({ expiresAt }) => expiresAt < 400)
  assert.equal(order.count(400), due.length)
  const found = Array.from({ length: due.length }, () => order.next(400)?.expiresAt)
  assert.deepEqual(
    found,
    due.map(({ expiresAt }) => expiresAt).sort((a, b) => a - b),
  )
  assert.equal(order.next(400), undefined)
})
