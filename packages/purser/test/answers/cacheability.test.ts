import assert from 'node:assert/strict'
import test from 'node:test'
import type { ChatAnswer } from '../../src/openai/chat-model.ts'
import { alice, openAnswersHarness } from '../support/answers-harness.ts'
import { chunk, cleanStream, completion, scripted, turnRequest } from '../support/scripted-upstream.ts'

const end = (finish_reason: string): string => chunk({ finish_reason })
const word = chunk({ delta: { content: 'word' } })
const call = [{ index: 0, id: 'call', type: 'function', function: { name: 'f', arguments: '{}' } }]

/** Upstream answers, and whether they may be served again. */
const STREAMS: Record<string, readonly [isCacheable: boolean, chunks: readonly string[]]> = {
  'a clean stop': [true, cleanStream('hello there')],
  'reasoning and a clean stop': [true, [chunk({ delta: { reasoning: 'hm' } }), word, end('stop')]],
  'an empty list of tool calls': [true, [chunk({ delta: { content: 'a', tool_calls: [] } }), end('stop')]],
  'no chunks': [false, []],
  'no text': [false, [chunk({ delta: { role: 'assistant', content: '' } }), end('stop')]],
  'only reasoning': [false, [chunk({ delta: { reasoning: 'hm' } }), end('stop')]],
  'no finish reason': [false, [word]],
  'finish reason length': [false, [word, end('length')]],
  'finish reason content_filter': [false, [word, end('content_filter')]],
  'a tool call': [false, [chunk({ delta: { tool_calls: call } }), end('tool_calls')]],
  'a tool call and the finish reason stop': [false, [word, chunk({ delta: { tool_calls: call } }), end('stop')]],
  'a legacy function call': [false, [word, chunk({ delta: { function_call: { name: 'f' } } }), end('stop')]],
  'a refusal': [false, [chunk({ delta: { refusal: 'no' } }), word, end('stop')]],
  'an error chunk': [false, [word, chunk(null, { error: { message: 'overloaded' } }), end('stop')]],
  'a chunk that is not JSON': [false, [word, 'nonsense', end('stop')]],
  'an unknown finish reason': [false, [word, end('pause')]],
  'two complete choices': [
    true,
    [word, chunk({ index: 1, delta: { content: 'b' } }), end('stop'), chunk({ index: 1, finish_reason: 'stop' })],
  ],
  'two choices, one of them cut': [
    false,
    [word, chunk({ index: 1, delta: { content: 'b' } }), end('stop'), chunk({ index: 1, finish_reason: 'length' })],
  ],
}

const COMPLETIONS: Record<string, readonly [isCacheable: boolean, text: string]> = {
  'a clean stop': [true, completion('hello')],
  'an empty text': [false, completion('')],
  'no text': [false, completion(null)],
  'finish reason length': [false, completion('hello', { finish_reason: 'length' })],
  'finish reason content_filter': [false, completion('hello', { finish_reason: 'content_filter' })],
  'no finish reason': [false, completion('hello', { finish_reason: null })],
  'a tool call': [false, completion('hello', { message: { role: 'assistant', content: 'x', tool_calls: call } })],
  'a refusal': [false, completion('hello', { message: { role: 'assistant', content: 'x', refusal: 'no' } })],
  'no choices': [false, JSON.stringify({ id: 'c', choices: [] })],
  'an error': [false, JSON.stringify({ error: { message: 'no' }, choices: JSON.parse(completion('x')).choices })],
  'a JSON string': [false, '"hello"'],
  'not JSON': [false, '<html>'],
}

async function isCached(answer: ChatAnswer, limits: { maxBytes?: number; n?: number } = {}): Promise<boolean> {
  const { answers } = await openAnswersHarness({
    answers: limits.maxBytes === undefined ? {} : { maxBytes: limits.maxBytes },
  })
  const request = limits.n === undefined ? {} : { n: limits.n }
  const turn = await answers.of(alice).getOrCall({ ...turnRequest(request), callModel: async () => answer })
  if (turn.answer.kind === 'stream') await Array.fromAsync(turn.answer.chunks)
  return answers.stats().entries === 1
}

for (const [name, [isCacheable, chunks]] of Object.entries(STREAMS)) {
  test(`a stream with ${name} is ${isCacheable ? '' : 'not '}cached`, async () => {
    assert.equal(await isCached(scripted(chunks).answer), isCacheable)
  })
}

for (const [name, [isCacheable, text]] of Object.entries(COMPLETIONS)) {
  test(`a completion with ${name} is ${isCacheable ? '' : 'not '}cached`, async () => {
    assert.equal(await isCached({ kind: 'completion', text }), isCacheable)
  })
}

test('an answer over the size limit is not cached, neither a completion nor a stream', async () => {
  assert.equal(await isCached({ kind: 'completion', text: completion('x'.repeat(5_000)) }, { maxBytes: 5_000 }), false)
  assert.equal(await isCached(scripted(cleanStream('x '.repeat(2_000))).answer, { maxBytes: 5_000 }), false)
})

test('an answer with fewer choices than requested is not cached', async () => {
  assert.equal(await isCached(scripted(cleanStream('one')).answer, { n: 2 }), false)
  assert.equal(await isCached({ kind: 'completion', text: completion('one') }, { n: 2 }), false)
})

test('a stream that the upstream cut is not cached, even if its last chunk had arrived', async () => {
  const { answers } = await openAnswersHarness()
  const texts = cleanStream('complete')
  const turn = await answers
    .of(alice)
    .getOrCall({ ...turnRequest(), callModel: async () => scripted(texts, { failAfter: texts.length }).answer })
  assert.equal(turn.answer.kind, 'stream')
  if (turn.answer.kind === 'stream') await assert.rejects(Array.fromAsync(turn.answer.chunks))
  assert.equal(answers.stats().entries, 0)
})
