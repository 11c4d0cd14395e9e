import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ChatChunk, ChatCompletion } from '../../src/openai/chat.ts'
import { finishReasonOf, mergeChunks, toChunks, usageOf } from '../../src/openai/completion.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('completions and chunks')

const usage = fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat() }).map((told) => ({
  ...told,
  total_tokens: told.prompt_tokens + told.completion_tokens,
  completion_tokens_details: {},
}))
const calls = fc
  .array(fc.record({ name: fc.string(), arguments: fc.string() }), { minLength: 1, maxLength: 4 })
  .map((list) => list.map((made, index) => ({ id: `call_${index}`, type: 'function', function: made })))
const token = fc.record({ token: fc.string(), logprob: fc.double({ noNaN: true }) })
const message = fc.record(
  {
    role: fc.constant('assistant'),
    content: fc.option(fc.string()),
    refusal: fc.option(fc.string()),
    reasoning_content: fc.string(),
    tool_calls: calls,
    annotations: fc.array(fc.record({ type: fc.constant('url_citation') })),
    audio: fc.record({ id: fc.string(), data: fc.string() }),
  },
  { requiredKeys: ['role', 'content'] },
)
const choice = fc.record(
  {
    message,
    finish_reason: fc.constantFrom('stop', 'length', 'tool_calls', 'content_filter'),
    logprobs: fc.option(fc.record({ content: fc.array(token) })),
    vendor_field: fc.string(),
  },
  { requiredKeys: ['message', 'finish_reason'] },
)
const completion = fc
  .record(
    {
      id: fc.string(),
      object: fc.constant('chat.completion' as const),
      created: fc.nat(),
      model: fc.string(),
      choices: fc
        .array(choice, { maxLength: 3 })
        .map((list) => list.map((made, index) => ({ ...made, index }) as ChatCompletion['choices'][number])),
      usage,
      system_fingerprint: fc.option(fc.string()),
    },
    { requiredKeys: ['id', 'object', 'created', 'model', 'choices'] },
  )
  .map((made) => JSON.parse(JSON.stringify(made)) as ChatCompletion)

test('a completion told as chunks and put together again is the same completion', () => {
  fc.assert(
    fc.property(completion, (whole) => {
      assert.deepEqual(mergeChunks(toChunks(whole)), whole)
    }),
    { seed, numRuns: rounds(10_000, 1_000) },
  )
})

/** Cuts the texts of one delta into pieces, as providers do. */
function piecewise(chunk: ChatChunk, size: number): ChatChunk[] {
  const told = chunk.choices[0]
  if (told === undefined || typeof told.delta.content !== 'string' || told.delta.content.length <= size) return [chunk]
  const letters = told.delta.content
  const pieces = [{ ...chunk, choices: [{ ...told, delta: { ...told.delta, content: letters.slice(0, size) } }] }]
  for (let at = size; at < letters.length; at += size) {
    pieces.push({
      ...chunk,
      choices: [{ index: told.index, delta: { content: letters.slice(at, at + size) }, finish_reason: null }],
    })
  }
  return pieces
}

test('text in pieces of any size is joined, and null usage on the way is not taken for usage', () => {
  fc.assert(
    fc.property(completion, fc.integer({ min: 1, max: 5 }), (whole, size) => {
      const chunks = toChunks(whole).flatMap((chunk) => piecewise(chunk, size))
      const told = chunks.map((chunk) => (chunk.usage === undefined ? { ...chunk, usage: null } : chunk))
      assert.deepEqual(mergeChunks(told), whole)
    }),
    { seed, numRuns: rounds(5_000, 500) },
  )
})

const chunkWith = (delta: Record<string, unknown>, finish: string | null = null): ChatChunk => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
})

test('tool calls are joined by index, also when indexes do not begin at 0 and ids are repeated', () => {
  const piece = (index: number, id: string | undefined, made: Record<string, unknown>) =>
    chunkWith({ tool_calls: [{ index, ...(id === undefined ? {} : { id, type: 'function' }), function: made }] })
  const { choices } = mergeChunks([
    piece(1, 'a', { name: 'f', arguments: '' }),
    piece(1, 'a', { name: 'f', arguments: '{"x"' }),
    piece(2, 'b', { name: 'g', arguments: '{' }),
    piece(1, undefined, { arguments: ':1}' }),
    piece(2, undefined, { arguments: '}' }),
    chunkWith({}, 'tool_calls'),
  ])
  assert.deepEqual(choices[0]?.message.tool_calls, [
    { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
    { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
  ])
})

test('tool calls without an index are told apart by their ids', () => {
  const { choices } = mergeChunks([
    chunkWith({ tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{' } }] }),
    chunkWith({ tool_calls: [{ function: { arguments: '}' } }] }),
    chunkWith({ tool_calls: [{ id: 'b', function: { name: 'g', arguments: '{}' } }] }),
  ])
  assert.deepEqual(choices[0]?.message.tool_calls, [
    { id: 'a', function: { name: 'f', arguments: '{}' } },
    { id: 'b', function: { name: 'g', arguments: '{}' } },
  ])
})

test('a member named __proto__ changes no prototype', () => {
  const chunk = chunkWith(JSON.parse('{"content":"a","__proto__":{"polluted":true}}'))
  const { message: merged } = mergeChunks([chunk, chunk]).choices[0] ?? { message: undefined }
  assert.equal((merged as unknown as Record<string, unknown>).polluted, undefined)
})

test('the finish is stop only if every choice stopped, and null when nothing has ended', () => {
  const choices = (...reasons: (string | null)[]) =>
    ({ choices: reasons.map((finish_reason) => ({ finish_reason })) }) as unknown as ChatCompletion
  assert.equal(finishReasonOf(choices('stop', 'stop')), 'stop')
  assert.equal(finishReasonOf(choices('stop', 'length')), 'length')
  assert.equal(finishReasonOf(choices('length', 'stop')), 'length')
  assert.equal(finishReasonOf(choices(null)), null)
  assert.equal(finishReasonOf(choices()), null)
})

test('usage is what was told, and undefined otherwise', () => {
  const told = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }
  assert.deepEqual(usageOf({ ...chunkWith({}), usage: told }), told)
  assert.equal(usageOf({ ...chunkWith({}), usage: null }), undefined)
})
