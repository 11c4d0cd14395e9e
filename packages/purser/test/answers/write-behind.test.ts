import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { ANSWER_LIMITS, type AnswerLimits } from '../../src/answers/limits.ts'
import { createMemoryAnswers } from '../../src/drivers/memory/answers.ts'
import { cachePath } from '../../src/drivers/sqlite/cache/cache-file.ts'
import { PurserError } from '../../src/errors.ts'
import { openPurser } from '../../src/index.ts'
import type { AnswerBatch, AnswerStore } from '../../src/storage/answer-store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { alice, bob, localDrivers, onEveryDriver, openAnswersHarness } from '../support/answers-harness.ts'
import { completion, turnRequest } from '../support/scripted-upstream.ts'
import { temporaryPath } from '../support/temporary-store.ts'

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface RecordingStore {
  readonly store: AnswerStore
  readonly batches: AnswerBatch[]
  /** Holds batches back from now on. */
  hold(): void
  release(): void
}

/** A memory store that records batches and can hold them back. */
function createRecordingStore(): RecordingStore {
  const memory = createMemoryAnswers()
  const batches: AnswerBatch[] = []
  let gate: PromiseWithResolvers<void> | undefined
  return {
    batches,
    store: {
      ...memory,
      async put(batch) {
        batches.push(batch)
        await gate?.promise
        return memory.put(batch)
      },
    },
    hold() {
      gate = Promise.withResolvers<void>()
    },
    release() {
      gate?.resolve()
      gate = undefined
    },
  }
}

const limited = (limits: Partial<AnswerLimits>): { readonly limits: AnswerLimits } => ({
  limits: { ...ANSWER_LIMITS, ...limits },
})

const countRows = (batches: readonly AnswerBatch[]): number[] => batches.map(({ rows }) => rows.length)

onEveryDriver(
  'a new answer is found in this process at once and in others after 50 ms (CM-19)',
  async (open) => {
    const { answers, clock } = await open()
    const other = await open()
    await answers.of(alice).remember('q', () => 'a')
    assert.equal((await answers.of(alice).lookup('q'))?.answer, 'a')
    await clock.pass(49)
    assert.equal(await other.answers.of(alice).lookup('q'), undefined)
    await clock.pass(1)
    assert.equal((await other.answers.of(alice).lookup('q'))?.answer, 'a')
  },
  // With a server, the clock does not wait for the write.
  localDrivers,
)

test('an answer that left memory before it was written is found while it waits and while it is being written', async () => {
  const { store, batches, hold, release } = createRecordingStore()
  // Memory has space for one of these answers.
  const { answers } = await openAnswersHarness({ store, ...limited({ memoryBytes: 2_500 }) })
  const own = answers.of(alice)
  for (let n = 0; n < 5; n++) await own.remember({ n }, () => `${n}`.repeat(1_000))
  for (let n = 0; n < 5; n++) assert.equal((await own.lookup({ n }))?.answer, `${n}`.repeat(1_000))
  assert.deepEqual(batches, [])
  hold()
  const flushed = answers.flush()
  await settle()
  assert.deepEqual(countRows(batches), [5])
  assert.equal((await own.lookup({ n: 0 }))?.answer, '0'.repeat(1_000))
  release()
  await flushed
  assert.equal((await own.lookup({ n: 1 }))?.answer, '1'.repeat(1_000))
})

test('answers are written in batches of limited rows and bytes, one at a time', async () => {
  const { store, batches, hold, release } = createRecordingStore()
  const { answers } = await openAnswersHarness({ store, ...limited({ maxBatchBytes: 300_000 }) })
  const own = answers.of(alice)
  hold()
  for (let n = 0; n < 600; n++) await own.remember({ n }, () => n)
  await settle()
  assert.equal(batches.length, 1, 'the second batch waits for the first')
  release()
  await answers.flush()
  assert.deepEqual(countRows(batches), [256, 256, 88])
  for (let n = 0; n < 5; n++) await own.remember({ large: n }, () => 'x'.repeat(100_000))
  await answers.flush()
  assert.deepEqual(countRows(batches.slice(3)), [2, 2, 1])
  assert.equal(answers.stats().entries, 605)
})

test('an answer that is replaced while it waits is written once, with its newest value', async () => {
  const { store, batches } = createRecordingStore()
  const { answers } = await openAnswersHarness({ store })
  const ask = (text: string) =>
    answers.of(alice).getOrCall({
      ...turnRequest({ stream: false }),
      mode: 'refresh',
      callModel: async () => ({ kind: 'completion', text: completion(text) }),
    })
  await ask('first')
  await ask('second')
  await answers.flush()
  assert.deepEqual(countRows(batches), [1])
  assert.ok(batches[0]?.rows[0]?.value.includes('second'))
  assert.equal(answers.stats().entries, 1)
})

for (const [unit, limits] of [
  ['rows', { maxWaitingRows: 3 }],
  ['bytes', { maxWaitingBytes: 3 * 1_100 }],
] as const) {
  test(`when the store is too slow, further answers stay in memory only and no caller waits (${unit})`, async () => {
    const { store, hold, release } = createRecordingStore()
    const { answers, clock } = await openAnswersHarness({ store, ...limited(limits) })
    const other = await openAnswersHarness({ store, clock })
    const own = answers.of(alice)
    hold()
    for (let n = 0; n < 5; n++) assert.equal((await own.remember({ n }, () => n)).source, 'computed')
    for (let n = 0; n < 5; n++) assert.equal((await own.lookup({ n }))?.answer, n)
    await clock.pass(50)
    for (let n = 0; n < 5; n++) assert.equal((await own.lookup({ n }))?.answer, n)
    assert.equal(answers.stats().memoryOnly, 2)
    release()
    await answers.flush()
    const found: unknown[] = []
    for (let n = 0; n < 5; n++) found.push((await other.answers.of(alice).lookup({ n }))?.answer)
    assert.deepEqual(found, [0, 1, 2, undefined, undefined])
    await own.remember('later', () => 'a')
    await answers.flush()
    assert.equal((await other.answers.of(alice).lookup('later'))?.answer, 'a', 'there is space again')
  })
}

test('a turn under an idempotency key ends when its answer is stored, also when too many answers wait', async () => {
  const { store, hold, release } = createRecordingStore()
  const { answers, clock } = await openAnswersHarness({ store, ...limited({ maxWaitingRows: 1 }) })
  const text = completion('the answer')
  const request = {
    ...turnRequest({ stream: false }),
    replay: { idempotencyKey: 'k', isRepeat: false, onShared() {}, onMissing: async () => undefined },
    callModel: async () => ({ kind: 'completion', text }) as const,
  }
  hold()
  await answers.of(bob).remember('waiting', () => 1)
  let hasEnded = false
  const turn = answers.of(alice).getOrCall(request)
  void turn.then(() => {
    hasEnded = true
  })
  for (let round = 0; round < 5; round++) await settle()
  assert.equal(hasEnded, false)
  release()
  await turn
  // As after a crash: nothing of the first process is left but its store.
  const after = await openAnswersHarness({ store, clock })
  const repeat = await after.answers.of(alice).getOrCall({
    ...request,
    replay: { ...request.replay, isRepeat: true },
    callModel: () => Promise.reject(new Error('not called')),
  })
  assert.deepEqual(repeat, { source: 'hit', answer: { kind: 'completion', text }, isReplay: true })
})

test('a batch that cannot be written is counted as one failure, and its answers stay in memory', async () => {
  const memory = createMemoryAnswers()
  let isDown = true
  const put: AnswerStore['put'] = async (batch) => {
    if (isDown) throw new PurserError('store_unavailable', 'down')
    return memory.put(batch)
  }
  const { answers, clock } = await openAnswersHarness({ store: { ...memory, put } })
  const own = answers.of(alice)
  for (let n = 0; n < 3; n++) await own.remember({ n }, () => n)
  await clock.pass(50)
  const { failures, entries } = answers.stats()
  assert.deepEqual({ failures, entries }, { failures: 1, entries: 0 })
  assert.equal((await own.lookup({ n: 2 }))?.answer, 2)
  isDown = false
  await own.remember('after', () => 'a')
  await answers.flush()
  assert.equal(answers.stats().entries, 1)
})

onEveryDriver('close writes what waits, and forget and clear count it and leave nothing of it', async (open) => {
  const { answers, clock } = await open()
  for (let n = 0; n < 3; n++) await answers.of(alice).remember({ n }, () => n)
  await answers.of(bob).remember('q', () => 'b')
  assert.equal(await answers.of(alice).forget(), 3)
  await clock.pass(1_000)
  assert.equal(await answers.of(alice).lookup({ n: 0 }), undefined)
  assert.equal(answers.stats().entries, 1)
  await answers.of(bob).remember('again', () => 'b')
  await answers.clear()
  await clock.pass(1_000)
  assert.equal(answers.stats().entries, 0)
  await answers.of(bob).remember('last', () => 'b')
  await answers.close()
  const next = await open()
  assert.equal((await next.answers.of(bob).lookup('last'))?.answer, 'b')
})

test('flush writes what waits when it is called, and ends although every write is followed by new answers', async () => {
  const memory = createMemoryAnswers()
  let added = 0
  const put: AnswerStore['put'] = async (batch) => {
    if (added < 100) await answers.of(alice).remember({ added: added++ }, () => added)
    return memory.put(batch)
  }
  const { answers } = await openAnswersHarness({ store: { ...memory, put } })
  await answers.of(alice).remember('first', () => 1)
  await answers.of(alice).forget()
  assert.equal(added, 1)
})

test('an erasure counts the answers that wait to be written and leaves no byte of them', async () => {
  const path = temporaryPath()
  const purser = await openPurser({ store: `sqlite:${path}`, effects: handClock() })
  await purser.user('ada').ledger.admit()
  for (let n = 0; n < 3; n++) await purser.user('ada').answers.remember({ n }, () => `canary ${n}`)
  const { erased, purged } = await purser.user('ada').erase({ actor: 'ann', reason: 'requested' })
  assert.deepEqual({ answers: erased.answers, purged }, { answers: 3, purged: true })
  await purser.close()
  for (const file of [path, cachePath(path)].flatMap((name) => [name, `${name}-wal`]))
    assert.ok(!existsSync(file) || !readFileSync(file).includes('canary'), file)
})
