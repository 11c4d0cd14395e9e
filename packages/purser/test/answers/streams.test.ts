import assert from 'node:assert/strict'
import test from 'node:test'
import { ANSWER_LIMITS } from '../../src/answers/limits.ts'
import type { TurnAnswer } from '../../src/answers/turn-answers.ts'
import type { AbortSignalLike } from '../../src/core/call-signal.ts'
import { PurserError } from '../../src/errors.ts'
import type { ChatAnswer } from '../../src/openai/chat-model.ts'
import { alice, bob, onEveryDriver, openAnswersHarness } from '../support/answers-harness.ts'
import { chunk, cleanStream, completion, scripted, turnRequest } from '../support/scripted-upstream.ts'

async function readAll(answer: ChatAnswer): Promise<string[]> {
  if (answer.kind === 'completion') return [answer.text]
  const texts: string[] = []
  for await (const text of answer.chunks) texts.push(text)
  return texts
}

function iterate({ answer }: TurnAnswer): AsyncIterator<string> {
  assert.equal(answer.kind, 'stream')
  return (answer as { chunks: AsyncIterable<string> }).chunks[Symbol.asyncIterator]()
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

onEveryDriver('a replay consists of exactly the recorded chunks, with usage and finish reason', async (open) => {
  const { answers } = await open()
  const texts = [...cleanStream('Grüße \u0000 😀'), chunk({ delta: { reasoning: 'unusual' } })]
  texts.push(' {"choices" : [] , "usage":{"total_tokens":7}} ')
  const first = await answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => scripted(texts).answer })
  assert.equal(first.source, 'miss')
  assert.deepEqual(await readAll(first.answer), texts)
  const again = await answers
    .of(alice)
    .getOrCall({ ...turnRequest(), callModel: () => Promise.reject(new Error('not called')) })
  assert.equal(again.source, 'hit')
  assert.deepEqual(await readAll(again.answer), texts)
  assert.equal(answers.stats().savedTokens, 7)
})

onEveryDriver('a completion is cached as one, and also answers a turn that streams', async (open) => {
  const { answers } = await open()
  const text = completion('Hello')
  await answers
    .of(alice)
    .getOrCall({ ...turnRequest({ stream: false }), callModel: async () => ({ kind: 'completion', text }) })
  const again = await answers
    .of(alice)
    .getOrCall({ ...turnRequest({ stream: true }), callModel: () => Promise.reject(new Error('not called')) })
  assert.deepEqual(again.answer, { kind: 'completion', text })
})

test('two users with the same prompt share neither a cached answer nor one in progress', async () => {
  const { answers } = await openAnswersHarness()
  const upstreams = [scripted(cleanStream('for alice')), scripted(cleanStream('for bob'))]
  const [a, b] = await Promise.all([
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => upstreams[0]?.answer as ChatAnswer }),
    answers.of(bob).getOrCall({ ...turnRequest(), callModel: async () => upstreams[1]?.answer as ChatAnswer }),
  ])
  assert.deepEqual([a?.source, b?.source], ['miss', 'miss'])
  assert.notDeepEqual(await readAll(a.answer), await readAll(b.answer))
})

test('a hundred equal turns share one upstream call; only the first one counts its tokens (CM-D09)', async () => {
  const { answers } = await openAnswersHarness()
  const upstream = scripted(cleanStream('one for all'))
  let calls = 0
  const turns = await Promise.all(
    Array.from({ length: 100 }, () =>
      answers.of(alice).getOrCall({
        ...turnRequest(),
        callModel: async () => {
          calls++
          return upstream.answer
        },
      }),
    ),
  )
  const all = await Promise.all(turns.map(({ answer }) => readAll(answer)))
  for (const texts of all) assert.deepEqual(texts, cleanStream('one for all'))
  assert.equal(calls, 1)
  assert.equal(turns.filter(({ source }) => source === 'miss').length, 1)
  const { hits, misses, joined, savedTokens } = answers.stats()
  assert.deepEqual({ hits, misses, joined, savedTokens }, { hits: 0, misses: 1, joined: 99, savedTokens: 99 * 5 })
})

test('when the first caller aborts, the others read on and the answer is cached', async () => {
  const { answers } = await openAnswersHarness()
  const upstream = scripted(cleanStream('goes on'))
  const leaving = new AbortController()
  const ended: string[] = []
  const leader = await answers.of(alice).getOrCall({
    ...turnRequest(),
    signal: leaving.signal,
    onModelCallEnd: () => void ended.push('leader'),
    callModel: async () => upstream.answer,
  })
  const joiner = await answers
    .of(alice)
    .getOrCall({ ...turnRequest(), onModelCallEnd: () => void ended.push('joiner'), callModel: () => assert.fail() })
  const reading = iterate(leader)
  await reading.next()
  leaving.abort(new Error('gone'))
  await assert.rejects(reading.next(), { message: 'gone' })
  assert.deepEqual(ended, [])
  assert.deepEqual(await readAll(joiner.answer), cleanStream('goes on'))
  await settle()
  assert.deepEqual(ended, ['leader'])
  assert.equal(upstream.stopped, false)
  assert.equal(answers.stats().entries, 1)
})

test('when the last reader leaves, the upstream is stopped and nothing is cached', async () => {
  const { answers } = await openAnswersHarness()
  const upstream = scripted(cleanStream('never read'), { hangAfter: 1 })
  let modelSignal: AbortSignalLike | undefined
  const leaving = new AbortController()
  const [leader, joiner] = await Promise.all([
    answers.of(alice).getOrCall({
      ...turnRequest(),
      callModel: async (signal) => {
        modelSignal = signal
        return upstream.answer
      },
    }),
    answers.of(alice).getOrCall({ ...turnRequest(), signal: leaving.signal, callModel: () => assert.fail() }),
  ])
  const reading = iterate(leader)
  await reading.next()
  const waiting = reading.next()
  await reading.return?.()
  assert.deepEqual(await waiting, { value: undefined, done: true })
  assert.equal(modelSignal?.aborted, false)
  leaving.abort()
  await settle()
  assert.equal(modelSignal?.aborted, true)
  await assert.rejects(iterate(joiner as TurnAnswer).next(), { name: 'AbortError' })
  await settle()
  assert.equal(upstream.stopped, true)
  assert.equal(answers.stats().entries, 0)
  const next = await answers
    .of(alice)
    .getOrCall({ ...turnRequest(), callModel: async () => scripted(cleanStream('new')).answer })
  assert.equal(next.source, 'miss')
})

test('when all callers abort before the answer begins, the model call is aborted', async () => {
  const { answers } = await openAnswersHarness()
  const leaving = new AbortController()
  let modelSignal: AbortSignalLike | undefined
  let ended = 0
  const turn = answers.of(alice).getOrCall({
    ...turnRequest(),
    signal: leaving.signal,
    onModelCallEnd: () => void ended++,
    callModel: (signal) => {
      modelSignal = signal
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
  })
  await settle()
  leaving.abort(new Error('never mind'))
  await assert.rejects(turn, { message: 'never mind' })
  assert.equal(modelSignal?.aborted, true)
  await settle()
  assert.equal(ended, 1)
})

test('an upstream that fails before its first chunk rejects all callers, and nothing is cached', async () => {
  const { answers } = await openAnswersHarness()
  const start = (): Promise<ChatAnswer> => Promise.reject(new PurserError('upstream_failed', 'down'))
  const turns = [
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: start }),
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: start }),
  ]
  for (const turn of turns) await assert.rejects(turn, (error) => PurserError.is(error, 'upstream_failed'))
  assert.equal(answers.stats().entries, 0)
})

test('a stream that is cut throws at every reader after the chunks that arrived, and is not cached', async () => {
  const { answers } = await openAnswersHarness()
  const texts = cleanStream('cut')
  const upstream = scripted(texts, { failAfter: 2 })
  const [a, b] = await Promise.all([
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => upstream.answer }),
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: () => assert.fail() }),
  ])
  for (const turn of [a, b]) {
    const reading = iterate(turn as TurnAnswer)
    assert.equal((await reading.next()).value, texts[0])
    assert.equal((await reading.next()).value, texts[1])
    await assert.rejects(reading.next(), (error) => PurserError.is(error, 'upstream_failed'))
  }
  assert.equal(answers.stats().entries, 0)
})

test('the fastest reader sets the pace: no chunk is requested before a reader wants it', async () => {
  const { answers } = await openAnswersHarness()
  const upstream = scripted(cleanStream('a b c d e f'))
  const turn = await answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => upstream.answer })
  await settle()
  assert.equal(upstream.sent, 0)
  const reading = iterate(turn)
  await reading.next()
  await reading.next()
  await settle()
  assert.equal(upstream.sent, 2)
})

test('a slow reader reads all of an answer that fits the buffer, long after it ended', async () => {
  const { answers } = await openAnswersHarness()
  const upstream = scripted(cleanStream('a slow reader'))
  const [fast, slow] = await Promise.all([
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => upstream.answer }),
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: () => assert.fail() }),
  ])
  await readAll((fast as TurnAnswer).answer)
  assert.deepEqual(await readAll((slow as TurnAnswer).answer), cleanStream('a slow reader'))
})

test('a reader too far behind is disconnected with reader_slow; the others are not stalled', async () => {
  const { answers } = await openAnswersHarness({ limits: { ...ANSWER_LIMITS, maxAnswerBytes: 2_000 } })
  const texts = Array.from({ length: 40 }, (_, n) => chunk({ delta: { content: `${n}`.padEnd(40) } }))
  const upstream = scripted(texts)
  const [fast, slow] = await Promise.all([
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => upstream.answer }),
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: () => assert.fail() }),
  ])
  const late = iterate(slow as TurnAnswer)
  await late.next()
  assert.deepEqual(await readAll((fast as TurnAnswer).answer), texts)
  await assert.rejects(late.next(), (error) => PurserError.is(error, 'reader_slow'))
  assert.equal(answers.stats().entries, 0)
  const next = await answers
    .of(alice)
    .getOrCall({ ...turnRequest(), callModel: async () => scripted(cleanStream('new')).answer })
  assert.equal(next.source, 'miss')
})

test('a disconnected reader does not count as a reader, and an answer too long for the buffer is not joined', async () => {
  const { answers } = await openAnswersHarness({ limits: { ...ANSWER_LIMITS, maxAnswerBytes: 2_000 } })
  const texts = Array.from({ length: 40 }, (_, n) => chunk({ delta: { content: `${n}`.padEnd(40) } }))
  const upstream = scripted(texts)
  const [fast] = await Promise.all([
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: async () => upstream.answer }),
    answers.of(alice).getOrCall({ ...turnRequest(), callModel: () => assert.fail() }),
  ])
  const reading = iterate(fast as TurnAnswer)
  for (let n = 0; n < 20; n++) await reading.next()
  const late = await answers
    .of(alice)
    .getOrCall({ ...turnRequest(), callModel: async () => scripted(cleanStream('its own')).answer })
  assert.equal(late.source, 'miss')
  await readAll(late.answer)
  await reading.return?.()
  assert.equal(upstream.stopped, true)
})

test('refresh calls the model and replaces the cached answer', async () => {
  const { answers } = await openAnswersHarness()
  const own = answers.of(alice)
  await readAll(
    (await own.getOrCall({ ...turnRequest(), callModel: async () => scripted(cleanStream('first')).answer })).answer,
  )
  const refresh = await own.getOrCall({
    ...turnRequest(),
    mode: 'refresh',
    callModel: async () => scripted(cleanStream('second')).answer,
  })
  assert.equal(refresh.source, 'miss')
  await readAll(refresh.answer)
  const after = await own.getOrCall({ ...turnRequest(), callModel: () => assert.fail() })
  assert.deepEqual(await readAll(after.answer), cleanStream('second'))
})

test('an older turn that ends after a refresh does not overwrite its answer (UC-D06)', async () => {
  const { answers } = await openAnswersHarness()
  const own = answers.of(alice)
  const older = await own.getOrCall({ ...turnRequest(), callModel: async () => scripted(cleanStream('older')).answer })
  const newer = await own.getOrCall({
    ...turnRequest(),
    mode: 'refresh',
    callModel: async () => scripted(cleanStream('newer')).answer,
  })
  await readAll(newer.answer)
  await readAll(older.answer)
  const after = await own.getOrCall({ ...turnRequest(), callModel: () => assert.fail() })
  assert.deepEqual(await readAll(after.answer), cleanStream('newer'))
})

onEveryDriver(
  'the answer of a turn of an earlier incarnation is neither found, shared nor cached (BL-D20)',
  async (open) => {
    const { answers, incarnations } = await open()
    const own = answers.of(alice)
    await readAll(
      (
        await own.getOrCall({
          ...turnRequest(),
          callModel: async () => scripted(cleanStream('first incarnation')).answer,
        })
      ).answer,
    )
    incarnations.set('alice', 2)
    const late = await own.getOrCall({
      ...turnRequest(),
      incarnation: 1,
      callModel: async () => scripted(cleanStream('late')).answer,
    })
    assert.equal(late.source, 'miss')
    await readAll(late.answer)
    const now = await own.getOrCall({
      ...turnRequest(),
      incarnation: 2,
      callModel: async () => scripted(cleanStream('second incarnation')).answer,
    })
    assert.equal(now.source, 'miss')
    incarnations.set('alice', 3)
    await readAll(now.answer)
    assert.equal(
      (await own.getOrCall({ ...turnRequest(), callModel: async () => scripted(['x']).answer })).source,
      'miss',
    )
    assert.equal(answers.stats().entries, 1)
  },
)

test('the reader of a replay can stop or abort at any chunk', async () => {
  const { answers } = await openAnswersHarness()
  const own = answers.of(alice)
  await readAll(
    (await own.getOrCall({ ...turnRequest(), callModel: async () => scripted(cleanStream('a b c')).answer })).answer,
  )
  const leaving = new AbortController()
  const reading = iterate(
    await own.getOrCall({ ...turnRequest(), signal: leaving.signal, callModel: () => assert.fail() }),
  )
  await reading.next()
  leaving.abort(new Error('enough'))
  await assert.rejects(reading.next(), { message: 'enough' })
})
