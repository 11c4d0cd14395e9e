import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import test from 'node:test'
import { createMemoryAnswers } from '../../src/drivers/memory/answers.ts'
import { PurserError } from '../../src/errors.ts'
import type { AnswerStore } from '../../src/storage/answer-store.ts'
import { alice, bob, onEveryDriver, openAnswersHarness } from '../support/answers-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('shared answer computations')

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

onEveryDriver('a thousand equal callers share one computation, and each gets a copy (CM-D09)', async (open) => {
  const { answers } = await open()
  let calls = 0
  const compute = async (): Promise<{ n: number[] }> => {
    calls++
    await settle()
    return { n: [1] }
  }
  const all = await Promise.all(Array.from({ length: 1_000 }, () => answers.of(alice).remember('q', compute)))
  assert.equal(calls, 1)
  assert.equal(all.filter(({ source }) => source === 'computed').length, 1)
  // A lookup that took longer than the computation finds its answer.
  assert.equal(all.filter(({ source }) => source === 'joined' || source === 'hit').length, 999)
  all[0]?.answer.n.push(2)
  assert.deepEqual(all[1]?.answer, { n: [1] })
})

test('different users and different requests do not wait for each other', async () => {
  const { answers } = await openAnswersHarness()
  const never = (): Promise<string> => Promise.withResolvers<string>().promise
  const leaving = new AbortController()
  const hung = answers.of(alice).remember('q', never, { signal: leaving.signal })
  assert.equal((await answers.of(bob).remember('q', () => 'b')).answer, 'b')
  assert.equal((await answers.of(alice).remember('r', () => 'r')).answer, 'r')
  leaving.abort()
  await assert.rejects(hung, { name: 'AbortError' })
})

test('a caller that aborts rejects with its own reason; the computation continues for the others', async () => {
  const { answers } = await openAnswersHarness()
  const gate = Promise.withResolvers<string>()
  const leaving = new AbortController()
  let computeSignal: AbortSignal | undefined
  const first = answers.of(alice).remember(
    'q',
    ({ signal }) => {
      computeSignal = signal
      return gate.promise
    },
    { signal: leaving.signal },
  )
  const second = answers.of(alice).remember('q', () => 'never')
  await settle()
  leaving.abort(new Error('my own reason'))
  await assert.rejects(first, { message: 'my own reason' })
  assert.equal(computeSignal?.aborted, false)
  gate.resolve('done')
  assert.deepEqual(await second, { answer: 'done', source: 'joined' })
  assert.equal((await answers.of(alice).lookup('q'))?.answer, 'done')
})

test('when all callers have aborted, the computation is aborted and its result is not cached', async () => {
  const { answers } = await openAnswersHarness()
  const gate = Promise.withResolvers<string>()
  const leaving = [new AbortController(), new AbortController()]
  let computeSignal: AbortSignal | undefined
  const callers = leaving.map(({ signal }) =>
    answers.of(alice).remember(
      'q',
      (call) => {
        computeSignal = call.signal
        return gate.promise
      },
      { signal },
    ),
  )
  await settle()
  for (const [index, controller] of leaving.entries()) controller.abort(new Error(`${index}`))
  for (const [index, caller] of callers.entries()) await assert.rejects(caller, { message: `${index}` })
  assert.equal(computeSignal?.aborted, true)
  gate.resolve('too late')
  await settle()
  assert.deepEqual(await answers.of(alice).remember('q', () => 'new'), { answer: 'new', source: 'computed' })
})

test('a signal that is aborted already computes nothing, and a long-lived one collects no listeners', async () => {
  const { answers } = await openAnswersHarness()
  const aborted = AbortSignal.abort(new Error('before'))
  await assert.rejects(
    answers.of(alice).remember('q', () => assert.fail(), { signal: aborted }),
    { message: 'before' },
  )
  await assert.rejects(answers.of(alice).lookup('q', { signal: aborted }), { message: 'before' })
  const { signal } = new AbortController()
  for (let n = 0; n < 20; n++) await answers.of(alice).remember({ n }, () => n, { signal })
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

function createFailingStore(): AnswerStore {
  const down = (): Promise<never> => Promise.reject(new PurserError('store_unavailable', 'down'))
  const store = createMemoryAnswers()
  return { ...store, generation: down, get: down, put: down, touch: down, remove: down, forget: down, sweep: down }
}

test('a store that fails counts as an empty cache: failures are counted, and only forget rejects (CM-D04)', async () => {
  const { answers, clock } = await openAnswersHarness({ store: createFailingStore() })
  const own = answers.of(alice)
  assert.equal(await own.lookup('q'), undefined)
  assert.deepEqual(await own.remember('q', () => 'a'), { answer: 'a', source: 'computed' })
  const both = await Promise.all([own.remember('q', () => 'a'), own.remember('q', () => 'a')])
  assert.deepEqual(
    both.map(({ source }) => source),
    ['computed', 'joined'],
  )
  await assert.rejects(own.forget(), (error) => PurserError.is(error, 'store_unavailable'))
  await clock.pass(60_000)
  const { hits, misses, joined, failures } = answers.stats()
  assert.deepEqual({ hits, misses, joined }, { hits: 0, misses: 3, joined: 1 })
  assert.ok(failures >= 4)
  await answers.close()
})

test('when the incarnation cannot be read, lookups miss without an error', async () => {
  const incarnationOf = (): Promise<number> => Promise.reject(new PurserError('store_unavailable', 'down'))
  const { answers } = await openAnswersHarness({ incarnationOf })
  assert.deepEqual(await answers.of(alice).remember('q', () => 'a'), { answer: 'a', source: 'computed' })
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal(answers.stats().entries, 0)
})

test('with random failures, aborts and forgetting, hits + misses + joined = lookups', async () => {
  let state = seed || 1
  const roll = (limit: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % limit
  }
  const memory = createMemoryAnswers()
  const maybe =
    <Args extends unknown[], Result>(work: (...args: Args) => Result | Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (roll(3) === 0) await settle()
      if (roll(10) === 0) throw new PurserError('store_unavailable', 'chaos')
      return work(...args)
    }
  const store = { ...memory, get: maybe(memory.get), put: maybe(memory.put), generation: maybe(memory.generation) }
  const { answers, clock } = await openAnswersHarness({ store, answers: { maxEntries: 8 } })
  let lookups = 0
  const one = async (): Promise<void> => {
    const own = answers.of(roll(2) === 0 ? alice : bob)
    const request = { q: roll(6) }
    const controller = new AbortController()
    if (roll(4) === 0) setImmediate(() => controller.abort())
    lookups++
    const { signal } = controller
    const outcome = roll(2) === 0 ? own.lookup(request, { signal }) : own.remember(request, computing, { signal })
    const found = await outcome.catch(() => undefined)
    if (found !== undefined) assert.equal(found.answer, 'answer')
    if (roll(20) === 0) await own.forget().catch(() => undefined)
    clock.advance(roll(50))
  }
  const computing = async (): Promise<string> => {
    if (roll(2) === 0) await settle()
    if (roll(8) === 0) throw new Error('chaos')
    return 'answer'
  }
  for (let round = 0; round < rounds(5_000, 200); round++) await Promise.all(Array.from({ length: 10 }, one))
  await answers.flush()
  const { hits, misses, joined, entries } = answers.stats()
  assert.equal(hits + misses + joined, lookups)
  assert.ok(hits > 0 && joined > 0 && entries <= 8)
})

onEveryDriver(
  'an answer that another process forgets while it is computed is returned but not cached',
  async (open) => {
    const { answers, clock } = await open()
    const otherProcess = await open({ clock })
    const gate = Promise.withResolvers<string>()
    const begun = Promise.withResolvers<void>()
    const early = answers.of(alice).remember('q', () => {
      begun.resolve()
      return gate.promise
    })
    await begun.promise
    await otherProcess.answers.of(alice).forget()
    gate.resolve('old')
    assert.deepEqual(await early, { answer: 'old', source: 'computed' })
    await answers.flush()
    assert.equal(await otherProcess.answers.of(alice).lookup('q'), undefined)
    assert.equal(await answers.of(alice).lookup('q'), undefined)
  },
)

test('a computation that began before another process called forget is not joined', async () => {
  const { answers, clock, store } = await openAnswersHarness()
  const otherProcess = await openAnswersHarness({ clock, store })
  const gate = Promise.withResolvers<string>()
  const early = answers.of(alice).remember('q', () => gate.promise)
  await settle()
  await otherProcess.answers.of(alice).forget()
  clock.advance(1_000)
  assert.deepEqual(await answers.of(alice).remember('q', () => 'new'), { answer: 'new', source: 'computed' })
  gate.resolve('old')
  assert.equal((await early).answer, 'old')
  assert.equal((await answers.of(alice).lookup('q'))?.answer, 'new')
})

test('a lookup that was pending during forget does not restore the old generation', async () => {
  const memory = createMemoryAnswers()
  const gate = Promise.withResolvers<void>()
  let isSlow = false
  const generation: AnswerStore['generation'] = async (scope) => {
    const found = await memory.generation(scope)
    if (isSlow) await gate.promise
    return found
  }
  const { answers, clock } = await openAnswersHarness({ store: { ...memory, generation } })
  await answers.of(alice).remember('q', () => 'old')
  clock.advance(1_000)
  isSlow = true
  const late = answers.of(alice).lookup('q')
  await settle()
  isSlow = false
  await answers.of(alice).forget()
  gate.resolve()
  await late
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})
