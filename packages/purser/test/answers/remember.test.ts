import assert from 'node:assert/strict'
import { createSubject } from '../../src/core/subject.ts'
import { PurserError } from '../../src/errors.ts'
import { alice, bob, countCalls, localDrivers, onEveryDriver } from '../support/answers-harness.ts'

onEveryDriver('a miss computes and the second lookup hits, with keys in any order (CM-13, CM-18)', async (open) => {
  const { answers } = await open()
  const own = answers.of(alice)
  const work = countCalls({ text: 'hello' })
  assert.equal(await own.lookup({ a: 1, b: [2, 3] }), undefined)
  assert.deepEqual(await own.remember({ a: 1, b: [2, 3] }, work.compute), {
    answer: { text: 'hello' },
    source: 'computed',
  })
  assert.deepEqual(await own.remember({ b: [2, 3], a: 1 }, work.compute), { answer: { text: 'hello' }, source: 'hit' })
  assert.deepEqual(await own.lookup({ b: [2, 3], a: 1 }), {
    answer: { text: 'hello' },
    storedAt: '2026-01-01T12:00:00.000Z',
    expiresAt: '2026-01-08T12:00:00.000Z',
  })
  assert.equal(work.calls, 1)
})

onEveryDriver('two users with the same request never share an answer (CM-D07)', async (open) => {
  const { answers } = await open()
  await answers.of(alice).remember('q', () => 'for alice')
  assert.equal(await answers.of(bob).lookup('q'), undefined)
  assert.equal(await answers.of(createSubject('other', 'alice')).lookup('q'), undefined)
  assert.deepEqual(await answers.of(bob).remember('q', () => 'for bob'), { answer: 'for bob', source: 'computed' })
  assert.equal((await answers.of(alice).lookup('q'))?.answer, 'for alice')
})

onEveryDriver('only answers in the namespace scope are shared, apart from the answers of users', async (open) => {
  const { answers } = await open()
  await answers.of(alice).remember('q', () => 'public', { scope: 'namespace' })
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal((await answers.of(bob).lookup('q', { scope: 'namespace' }))?.answer, 'public')
  assert.equal(await answers.of(alice).forget(), 0)
  assert.equal((await answers.of(bob).lookup('q', { scope: 'namespace' }))?.answer, 'public')
  const scope = 'public' as 'namespace'
  await assert.rejects(answers.of(bob).lookup('q', { scope }), (error) => PurserError.is(error, 'argument_invalid'))
})

onEveryDriver('empty answers, null and false are hits, not misses (CM-D11)', async (open) => {
  const { answers } = await open()
  for (const empty of ['', null, false, 0, [], {}]) {
    const work = countCalls(empty)
    await answers.of(alice).remember({ empty }, work.compute)
    assert.deepEqual(await answers.of(alice).remember({ empty }, work.compute), { answer: empty, source: 'hit' })
    assert.deepEqual((await answers.of(alice).lookup({ empty }))?.answer, empty)
    assert.equal(work.calls, 1)
  }
})

onEveryDriver(
  'a caller that changes its answer, also the one that computed it, does not change the cached one (CM-D11)',
  async (open) => {
    const { answers } = await open()
    const computed = { list: [1] }
    const first = await answers.of(alice).remember('q', () => computed)
    computed.list.push(2)
    first.answer.list.push(3)
    const second = await answers.of(alice).lookup<typeof computed>('q')
    second?.answer.list.push(4)
    assert.deepEqual((await answers.of(alice).lookup('q'))?.answer, { list: [1] })
  },
)

onEveryDriver('lone surrogates, NULs, unusual keys and long texts are returned unchanged (CM-D11)', async (open) => {
  const { answers } = await open()
  const request = JSON.parse(
    '{"__proto__":{"polluted":true},"constructor":1,"\\u0000":"\\u0000","\\ud800":"\\udfff","long":""}',
  ) as Record<string, unknown>
  request.long = '€'.repeat(100_000)
  await answers.of(alice).remember(request, () => request)
  const found = await answers.of(alice).lookup(request)
  assert.deepEqual(found?.answer, request)
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  assert.equal(await answers.of(alice).lookup({ ...request, '\ud801': 1 }), undefined)
})

onEveryDriver('an answer that is not JSON is returned but not cached', async (open) => {
  const { answers } = await open()
  for (const value of [undefined, 1n, () => 1]) {
    const result = await answers.of(alice).remember('q', () => value)
    assert.deepEqual(result, { answer: value, source: 'computed' })
    assert.equal(await answers.of(alice).lookup('q'), undefined)
  }
})

onEveryDriver('a request that is not JSON is rejected', async (open) => {
  const { answers } = await open()
  const circular: unknown[] = []
  circular.push(circular)
  for (const request of [{ t: Number.NaN }, { m: new Map() }, [1n], circular]) {
    await assert.rejects(answers.of(alice).lookup(request), (error) => PurserError.is(error, 'argument_invalid'))
  }
})

onEveryDriver(
  'the TTL is fixed: hits do not extend it, and its last millisecond still counts (CM-10, CM-12)',
  async (open) => {
    const { answers, clock } = await open({ answers: { ttlMs: 1_000 } })
    await answers.of(alice).remember('q', () => 'a')
    for (let step = 0; step < 4; step++) {
      clock.advance(250)
      assert.equal((await answers.of(alice).lookup('q'))?.answer, 'a')
    }
    clock.advance(1)
    assert.equal(await answers.of(alice).lookup('q'), undefined)
  },
)

onEveryDriver('an entry can have a TTL of its own; null never expires (CM-11)', async (open) => {
  const { answers, clock } = await open()
  await answers.of(alice).remember('short', () => 1, { ttlMs: 10 })
  await answers.of(alice).remember('without expiry', () => 1, { ttlMs: null })
  clock.advance(11)
  assert.equal(await answers.of(alice).lookup('short'), undefined)
  clock.advance(1_000 * 86_400_000)
  assert.equal((await answers.of(alice).lookup('without expiry'))?.expiresAt, null)
  for (const ttlMs of [-1, Number.NaN, '1' as unknown as number]) {
    const wrong = answers.of(alice).remember('q', () => 1, { ttlMs })
    await assert.rejects(wrong, (error) => PurserError.is(error, 'argument_invalid'))
  }
})

onEveryDriver('wall clock jumps of an hour in either direction neither revive nor expire entries', async (open) => {
  const { answers, clock } = await open({ answers: { ttlMs: 1_800_000 } })
  const own = answers.of(alice)
  await own.remember('old', () => 1)
  clock.advance(1_800_001)
  await own.remember('new', () => 2)
  clock.stepWall(3_600_000)
  assert.equal((await own.lookup('new'))?.answer, 2)
  clock.stepWall(-7_200_000)
  assert.equal(await own.lookup('old'), undefined)
  assert.equal((await own.lookup('new'))?.answer, 2)
  clock.advance(1_800_001)
  assert.equal(await own.lookup('new'), undefined)
})

onEveryDriver(
  'the wall clock is followed when it is corrected forward by seconds, but never backward',
  async (open) => {
    const { answers, clock } = await open({ answers: { ttlMs: 5_000 } })
    await answers.of(alice).remember('q', () => 1)
    clock.stepWall(4_000)
    assert.equal((await answers.of(alice).lookup('q'))?.answer, 1)
    clock.stepWall(-4_000)
    clock.advance(1_001)
    assert.equal(await answers.of(alice).lookup('q'), undefined)
  },
)

onEveryDriver('after a machine has slept for a day, entries are a day older', async (open) => {
  const { answers, clock } = await open({ answers: { ttlMs: 86_000_000 } })
  await answers.of(alice).remember('q', () => 1)
  clock.stepWall(86_400_000)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('an answer that `keep` rejects is not cached and is computed again (CM-14)', async (open) => {
  const { answers } = await open()
  const work = countCalls('bad')
  await answers.of(alice).remember('q', work.compute, { keep: (answer) => answer !== 'bad' })
  await answers.of(alice).remember('q', work.compute, { keep: (answer) => answer !== 'bad' })
  assert.equal(work.calls, 2)
  assert.equal(answers.stats().entries, 0)
})

onEveryDriver('a computation that fails rejects its callers and stores nothing', async (open) => {
  const { answers } = await open()
  const broken = new Error('no')
  await assert.rejects(
    answers.of(alice).remember('q', () => Promise.reject(broken)),
    broken,
  )
  const thrower = (): string => {
    throw broken
  }
  await assert.rejects(answers.of(alice).remember('q', thrower), broken)
  assert.deepEqual(await answers.of(alice).remember('q', () => 'now'), { answer: 'now', source: 'computed' })
})

onEveryDriver('an answer over the size limit is returned but not cached (CM-D08)', async (open) => {
  const { answers } = await open({ answers: { maxBytes: 10_000 } })
  const large = 'x'.repeat(20_000)
  assert.equal((await answers.of(alice).remember('q', () => large)).answer, large)
  assert.equal(answers.stats().entries, 0)
})

onEveryDriver(
  'exactly the excess is evicted, the least recently used first, also within one millisecond (CM-15)',
  async (open) => {
    const { answers } = await open({ answers: { maxEntries: 3 } })
    const own = answers.of(alice)
    for (const q of ['a', 'b', 'c']) await own.remember(q, () => q)
    await own.lookup('a')
    await own.remember('d', () => 'd')
    await answers.flush()
    assert.equal(await own.lookup('b'), undefined)
    for (const q of ['a', 'c', 'd']) assert.equal((await own.lookup(q))?.answer, q)
    const { entries, evictions } = answers.stats()
    assert.deepEqual({ entries, evictions }, { entries: 3, evictions: 1 })
  },
)

onEveryDriver(
  'an answer that is evicted before its use was written is written again (CM-15)',
  async (open) => {
    const { answers, clock } = await open({ answers: { maxEntries: 3 } })
    const own = answers.of(alice)
    for (const q of ['a', 'b', 'c']) await own.remember(q, () => q)
    await clock.pass(50)
    await own.lookup('a')
    await own.remember('d', () => 'd')
    await clock.pass(50)
    assert.deepEqual(answers.stats().evictions, 0)
    await clock.pass(50)
    const { entries, evictions } = answers.stats()
    assert.deepEqual({ entries, evictions }, { entries: 3, evictions: 1 })
    const other = await open()
    assert.equal(await other.answers.of(alice).lookup('b'), undefined)
    for (const q of ['a', 'c', 'd']) assert.equal((await other.answers.of(alice).lookup(q))?.answer, q)
  },
  localDrivers,
)

onEveryDriver('expired entries are evicted before live ones (CM-D08)', async (open) => {
  const { answers, clock } = await open({ answers: { maxEntries: 2 } })
  const own = answers.of(alice)
  await own.remember('live', () => 1)
  await own.remember('expired', () => 1, { ttlMs: 5 })
  clock.advance(10)
  await own.remember('new', () => 1)
  await answers.flush()
  assert.equal((await own.lookup('live'))?.answer, 1)
  assert.equal(answers.stats().evictions, 0)
})

onEveryDriver(
  'statistics are exact: hits + misses + joined = lookups (CM-17)',
  async (open) => {
    const { answers, clock, store } = await open({ answers: { ttlMs: 1_000 } })
    const own = answers.of(alice)
    await own.lookup('a')
    await own.remember('a', () => 'x'.repeat(100))
    await own.lookup('a')
    const gate = Promise.withResolvers<string>()
    const both = [own.remember('b', () => gate.promise, { ttlMs: 5_000 }), own.remember('b', () => 'never')]
    gate.resolve('b')
    assert.deepEqual(
      (await Promise.all(both)).map(({ source }) => source),
      ['computed', 'joined'],
    )
    await answers.flush()
    clock.advance(1_001)
    const { bytes, ...stats } = answers.stats()
    assert.ok(bytes > 100)
    assert.deepEqual(stats, {
      entries: 2,
      active: 1,
      expired: 1,
      file: store.file,
      maxEntries: 10_000,
      maxBytes: 268_435_456,
      ttlMs: 1_000,
      hits: 1,
      misses: 3,
      joined: 1,
      evictions: 0,
      memoryOnly: 0,
      savedTokens: 0,
      failures: 0,
    })
    await clock.pass(60_000)
    const { entries, expired } = answers.stats()
    assert.deepEqual({ entries, expired }, { entries: 0, expired: 0 })
  },
  localDrivers,
)

onEveryDriver('clear empties its namespace and no other (CM-16)', async (open) => {
  const { answers, store } = await open()
  const other = await open({ store, namespace: 'other' })
  const otherAlice = createSubject('other', 'alice')
  await answers.of(alice).remember('q', () => 1)
  await other.answers.of(otherAlice).remember('q', () => 2)
  await answers.clear()
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal(answers.stats().entries, 0)
  assert.equal((await other.answers.of(otherAlice).lookup('q'))?.answer, 2)
})

onEveryDriver('forget removes all answers of one user and none of another, and returns their number', async (open) => {
  const { answers } = await open()
  for (let n = 0; n < 5; n++) await answers.of(alice).remember({ n }, () => n)
  await answers.of(bob).remember('q', () => 'b')
  assert.equal(await answers.of(alice).forget(), 5)
  for (let n = 0; n < 5; n++) assert.equal(await answers.of(alice).lookup({ n }), undefined)
  assert.equal((await answers.of(bob).lookup('q'))?.answer, 'b')
  assert.equal(answers.stats().entries, 1)
  assert.equal(await answers.of(alice).forget(), 0)
})

onEveryDriver('answers forgotten by another process are not found here after a second', async (open) => {
  const { answers, store, clock } = await open()
  const otherProcess = await open({ store, clock })
  await answers.of(alice).remember('q', () => 1)
  await otherProcess.answers.of(alice).forget()
  clock.advance(1_000)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('an answer that was being computed during forget is returned but not cached (UC-D05)', async (open) => {
  const { answers } = await open()
  const gate = Promise.withResolvers<string>()
  const early = answers.of(alice).remember('q', () => gate.promise)
  await new Promise(setImmediate)
  await answers.of(alice).forget()
  const late = answers.of(alice).remember('q', () => 'new')
  gate.resolve('old')
  assert.deepEqual(await early, { answer: 'old', source: 'computed' })
  assert.deepEqual(await late, { answer: 'new', source: 'computed' })
  assert.equal((await answers.of(alice).lookup('q'))?.answer, 'new')
})

onEveryDriver('an answer computed in one incarnation is never cached for the next (BL-D20)', async (open) => {
  const { answers, incarnations } = await open()
  await answers.of(alice).remember('before', () => 1)
  const gate = Promise.withResolvers<string>()
  const early = answers.of(alice).remember('q', () => gate.promise)
  await new Promise(setImmediate)
  incarnations.set('alice', 2)
  gate.resolve('of the first incarnation')
  assert.equal((await early).answer, 'of the first incarnation')
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal(await answers.of(alice).lookup('before'), undefined)
  incarnations.set('alice', 1)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('after close calls reject with closed and no timer is left', async (open) => {
  const { answers, clock } = await open()
  await answers.of(alice).remember('q', () => 1)
  await answers.close()
  await answers.close()
  await assert.rejects(answers.of(alice).lookup('q'), (error) => PurserError.is(error, 'closed'))
  assert.equal(clock.timers, 0)
})

onEveryDriver('all cached answers of a user are exported, and none of other users', async (open) => {
  const { answers, clock } = await open()
  for (let n = 0; n < 40; n++) await answers.of(alice).remember({ n }, () => n)
  await answers.of(alice).remember('expired', () => 'expired', { ttlMs: 1 })
  await answers.of(bob).remember('q', () => 'b')
  clock.advance(2)
  const rows = await Array.fromAsync(answers.of(alice).exportRows())
  const values = rows.map(({ value }) => Number(value.answer)).sort((a, b) => a - b)
  assert.deepEqual(
    values,
    Array.from({ length: 40 }, (_, n) => n),
  )
  const { value, ...header } = rows[0] as (typeof rows)[0]
  assert.deepEqual(header, { part: 'answers', type: 'answer', at: '2026-01-01T12:00:00.000Z' })
  assert.equal(value.expiresAt, '2026-01-08T12:00:00.000Z')
})
