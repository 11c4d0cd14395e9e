import assert from 'node:assert/strict'
import { createSubject } from '../../src/core/subject.ts'
import { PurserError } from '../../src/errors.ts'
import { alice, bob, counted, onEveryDriver } from '../support/answers-harness.ts'

onEveryDriver('CM-13 CM-18: a miss computes, a second look hits, in any key order', async (open) => {
  const { answers } = await open()
  const own = answers.of(alice)
  const work = counted({ text: 'hello' })
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

onEveryDriver('CM-D07 C2: two users with the same request never share an answer', async (open) => {
  const { answers } = await open()
  await answers.of(alice).remember('q', () => 'for alice')
  assert.equal(await answers.of(bob).lookup('q'), undefined)
  assert.equal(await answers.of(createSubject('other', 'alice')).lookup('q'), undefined)
  assert.deepEqual(await answers.of(bob).remember('q', () => 'for bob'), { answer: 'for bob', source: 'computed' })
  assert.equal((await answers.of(alice).lookup('q'))?.answer, 'for alice')
})

onEveryDriver('C2: only the namespace scope, asked for by name, is shared; it is another cupboard', async (open) => {
  const { answers } = await open()
  await answers.of(alice).remember('q', () => 'public', { scope: 'namespace' })
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal((await answers.of(bob).lookup('q', { scope: 'namespace' }))?.answer, 'public')
  assert.equal(await answers.of(alice).forget(), 0)
  assert.equal((await answers.of(bob).lookup('q', { scope: 'namespace' }))?.answer, 'public')
  const scope = 'public' as 'namespace'
  await assert.rejects(answers.of(bob).lookup('q', { scope }), (error) => PurserError.is(error, 'argument_invalid'))
})

onEveryDriver('CM-D11: empty answers, null and false are answers, not misses', async (open) => {
  const { answers } = await open()
  for (const empty of ['', null, false, 0, [], {}]) {
    const work = counted(empty)
    await answers.of(alice).remember({ empty }, work.compute)
    assert.deepEqual(await answers.of(alice).remember({ empty }, work.compute), { answer: empty, source: 'hit' })
    assert.deepEqual((await answers.of(alice).lookup({ empty }))?.answer, empty)
    assert.equal(work.calls, 1)
  }
})

onEveryDriver('CM-D11: nobody can change what the next one gets, the one who computed it neither', async (open) => {
  const { answers } = await open()
  const made = { list: [1] }
  const first = await answers.of(alice).remember('q', () => made)
  made.list.push(2)
  first.answer.list.push(3)
  const second = await answers.of(alice).lookup<typeof made>('q')
  second?.answer.list.push(4)
  assert.deepEqual((await answers.of(alice).lookup('q'))?.answer, { list: [1] })
})

onEveryDriver('CM-D11: lone surrogates, NULs, odd keys and long texts come back as they went in', async (open) => {
  const { answers } = await open()
  const odd = JSON.parse(
    '{"__proto__":{"polluted":true},"constructor":1,"\\u0000":"\\u0000","\\ud800":"\\udfff","long":""}',
  ) as Record<string, unknown>
  odd.long = '€'.repeat(100_000)
  await answers.of(alice).remember(odd, () => odd)
  const found = await answers.of(alice).lookup(odd)
  assert.deepEqual(found?.answer, odd)
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  assert.equal(await answers.of(alice).lookup({ ...odd, '\ud801': 1 }), undefined)
})

onEveryDriver('What JSON cannot hold is handed out but not kept', async (open) => {
  const { answers } = await open()
  for (const odd of [undefined, 1n, () => 1]) {
    const result = await answers.of(alice).remember('q', () => odd)
    assert.deepEqual(result, { answer: odd, source: 'computed' })
    assert.equal(await answers.of(alice).lookup('q'), undefined)
  }
})

onEveryDriver('A request that is not JSON has no key', async (open) => {
  const { answers } = await open()
  const circular: unknown[] = []
  circular.push(circular)
  for (const request of [{ t: Number.NaN }, { m: new Map() }, [1n], circular]) {
    await assert.rejects(answers.of(alice).lookup(request), (error) => PurserError.is(error, 'argument_invalid'))
  }
})

onEveryDriver(
  'CM-10 CM-12: the TTL is fixed: hits do not extend it, and its last millisecond still counts',
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

onEveryDriver('CM-11: an entry has its own TTL when asked for; null never expires', async (open) => {
  const { answers, clock } = await open()
  await answers.of(alice).remember('short', () => 1, { ttlMs: 10 })
  await answers.of(alice).remember('for good', () => 1, { ttlMs: null })
  clock.advance(11)
  assert.equal(await answers.of(alice).lookup('short'), undefined)
  clock.advance(1_000 * 86_400_000)
  assert.equal((await answers.of(alice).lookup('for good'))?.expiresAt, null)
  for (const ttlMs of [-1, Number.NaN, '1' as unknown as number]) {
    const wrong = answers.of(alice).remember('q', () => 1, { ttlMs })
    await assert.rejects(wrong, (error) => PurserError.is(error, 'argument_invalid'))
  }
})

onEveryDriver('C7: clock jumps of an hour either way neither revive nor expire', async (open) => {
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

onEveryDriver('C7: a correction of the wall clock by seconds is followed, but never backwards', async (open) => {
  const { answers, clock } = await open({ answers: { ttlMs: 5_000 } })
  await answers.of(alice).remember('q', () => 1)
  clock.stepWall(4_000)
  assert.equal((await answers.of(alice).lookup('q'))?.answer, 1)
  clock.stepWall(-4_000)
  clock.advance(1_001)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('C7: a machine that slept for a day is a day older', async (open) => {
  const { answers, clock } = await open({ answers: { ttlMs: 86_000_000 } })
  await answers.of(alice).remember('q', () => 1)
  clock.stepWall(86_400_000)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('CM-14: keep decides, and an answer that was not kept is computed again', async (open) => {
  const { answers } = await open()
  const work = counted('bad')
  await answers.of(alice).remember('q', work.compute, { keep: (answer) => answer !== 'bad' })
  await answers.of(alice).remember('q', work.compute, { keep: (answer) => answer !== 'bad' })
  assert.equal(work.calls, 2)
  assert.equal(answers.stats().entries, 0)
})

onEveryDriver('A computation that fails fails its callers and keeps nothing', async (open) => {
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

onEveryDriver('CM-D08: an answer over the size limit is given but not kept', async (open) => {
  const { answers } = await open({ answers: { maxBytes: 10_000 } })
  const large = 'x'.repeat(20_000)
  assert.equal((await answers.of(alice).remember('q', () => large)).answer, large)
  assert.equal(answers.stats().entries, 0)
})

onEveryDriver(
  'CM-15: exactly the excess is evicted, the longest unused first, also within one millisecond',
  async (open) => {
    const { answers } = await open({ answers: { maxEntries: 3 } })
    const own = answers.of(alice)
    for (const q of ['a', 'b', 'c']) await own.remember(q, () => q)
    await own.lookup('a')
    await own.remember('d', () => 'd')
    assert.equal(await own.lookup('b'), undefined)
    for (const q of ['a', 'c', 'd']) assert.equal((await own.lookup(q))?.answer, q)
    const { entries, evictions } = answers.stats()
    assert.deepEqual({ entries, evictions }, { entries: 3, evictions: 1 })
  },
)

onEveryDriver('CM-D08: expired entries make room before live ones', async (open) => {
  const { answers, clock } = await open({ answers: { maxEntries: 2 } })
  const own = answers.of(alice)
  await own.remember('live', () => 1)
  await own.remember('expired', () => 1, { ttlMs: 5 })
  clock.advance(10)
  await own.remember('new', () => 1)
  assert.equal((await own.lookup('live'))?.answer, 1)
  assert.equal(answers.stats().evictions, 0)
})

onEveryDriver('CM-17 C7: statistics are exact: hits + misses + joined = look-ups', async (open) => {
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
    savedTokens: 0,
    failures: 0,
  })
  await clock.pass(60_000)
  const { entries, expired } = answers.stats()
  assert.deepEqual({ entries, expired }, { entries: 0, expired: 0 })
})

onEveryDriver('CM-16: clear empties the namespace and no other', async (open) => {
  const { answers, store } = await open()
  const other = await open({ store, namespace: 'other' })
  const stranger = createSubject('other', 'alice')
  await answers.of(alice).remember('q', () => 1)
  await other.answers.of(stranger).remember('q', () => 2)
  await answers.clear()
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal(answers.stats().entries, 0)
  assert.equal((await other.answers.of(stranger).lookup('q'))?.answer, 2)
})

onEveryDriver('C8: forget takes all of one user and nothing of another, and says how much', async (open) => {
  const { answers } = await open()
  for (let n = 0; n < 5; n++) await answers.of(alice).remember({ n }, () => n)
  await answers.of(bob).remember('q', () => 'b')
  assert.equal(await answers.of(alice).forget(), 5)
  for (let n = 0; n < 5; n++) assert.equal(await answers.of(alice).lookup({ n }), undefined)
  assert.equal((await answers.of(bob).lookup('q'))?.answer, 'b')
  assert.equal(answers.stats().entries, 1)
  assert.equal(await answers.of(alice).forget(), 0)
})

onEveryDriver('C8: what another process forgot is gone here within a second', async (open) => {
  const { answers, store, clock } = await open()
  const there = await open({ store, clock })
  await answers.of(alice).remember('q', () => 1)
  await there.answers.of(alice).forget()
  clock.advance(1_000)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('UC-D05: what was being computed when it was forgotten is given, but not kept', async (open) => {
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

onEveryDriver('BL-D20: an answer computed in one life is never kept for the next', async (open) => {
  const { answers, incarnations } = await open()
  await answers.of(alice).remember('before', () => 1)
  const gate = Promise.withResolvers<string>()
  const early = answers.of(alice).remember('q', () => gate.promise)
  await new Promise(setImmediate)
  incarnations.set('alice', 2)
  gate.resolve('of the first life')
  assert.equal((await early).answer, 'of the first life')
  assert.equal(await answers.of(alice).lookup('q'), undefined)
  assert.equal(await answers.of(alice).lookup('before'), undefined)
  incarnations.set('alice', 1)
  assert.equal(await answers.of(alice).lookup('q'), undefined)
})

onEveryDriver('After close nothing is taken any more', async (open) => {
  const { answers, clock } = await open()
  await answers.of(alice).remember('q', () => 1)
  await answers.close()
  await answers.close()
  await assert.rejects(answers.of(alice).lookup('q'), (error) => PurserError.is(error, 'closed'))
  assert.equal(clock.timers, 0)
})

onEveryDriver('All that is kept for a user can be exported, and nothing of anybody else', async (open) => {
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
