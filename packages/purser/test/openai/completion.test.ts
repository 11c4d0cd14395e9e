import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ChatChunk, ChatCompletion } from '../../src/openai/chat.ts'
import { finishReasonOf, toChunks, usageOf } from '../../src/openai/completion.ts'
import { mergeChunks } from '../../src/openai/merge-chunks.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('completions and chunks')

const usage = fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat() }).map((counts) => ({
  ...counts,
  total_tokens: counts.prompt_tokens + counts.completion_tokens,
  completion_tokens_details: {},
}))
const calls = fc
  .array(fc.record({ name: fc.string(), arguments: fc.string() }), { minLength: 1, maxLength: 4 })
  .map((list) => list.map((call, index) => ({ id: `call_${index}`, type: 'function', function: call })))
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
        .map((list) => list.map((fields, index) => ({ ...fields, index }) as ChatCompletion['choices'][number])),
      usage,
      system_fingerprint: fc.option(fc.string()),
    },
    { requiredKeys: ['id', 'object', 'created', 'model', 'choices'] },
  )
  .map((fields) => JSON.parse(JSON.stringify(fields)) as ChatCompletion)

test('a completion that is split into chunks and merged again is unchanged', () => {
  fc.assert(
    fc.property(completion, (whole) => {
      assert.deepEqual(mergeChunks(toChunks(whole)), whole)
    }),
    { seed, numRuns: rounds(10_000, 1_000) },
  )
})

/** Cuts the content of a delta into pieces, as providers do. */
function cutContent(chunk: ChatChunk, size: number): ChatChunk[] {
  const choice = chunk.choices[0]
  const content = choice?.delta.content
  if (choice === undefined || typeof content !== 'string' || content.length <= size) return [chunk]
  const pieces = [{ ...chunk, choices: [{ ...choice, delta: { ...choice.delta, content: content.slice(0, size) } }] }]
  for (let at = size; at < content.length; at += size) {
    pieces.push({
      ...chunk,
      choices: [{ index: choice.index, delta: { content: content.slice(at, at + size) }, finish_reason: null }],
    })
  }
  return pieces
}

test('text in pieces of any size is concatenated, and null usage does not replace usage', () => {
  fc.assert(
    fc.property(completion, fc.integer({ min: 1, max: 5 }), (whole, size) => {
      const chunks = toChunks(whole).flatMap((chunk) => cutContent(chunk, size))
      const withNullUsage = chunks.map((chunk) => (chunk.usage === undefined ? { ...chunk, usage: null } : chunk))
      assert.deepEqual(mergeChunks(withNullUsage), whole)
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

test('tool calls are merged by index, also if indexes do not start at 0 and ids are repeated', () => {
  const piece = (index: number, id: string | undefined, call: Record<string, unknown>) =>
    chunkWith({ tool_calls: [{ index, ...(id === undefined ? {} : { id, type: 'function' }), function: call }] })
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

test('tool calls without an index are distinguished by their ids', () => {
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

test('a member named __proto__ does not change a prototype', () => {
  const chunk = chunkWith(JSON.parse('{"content":"a","__proto__":{"polluted":true}}'))
  const { message: merged } = mergeChunks([chunk, chunk]).choices[0] ?? { message: undefined }
  assert.equal((merged as unknown as Record<string, unknown>).polluted, undefined)
})

test('the finish reason is stop only if every choice stopped, and null if none has ended', () => {
  const choices = (...reasons: (string | null)[]) =>
    ({ choices: reasons.map((finish_reason) => ({ finish_reason })) }) as unknown as ChatCompletion
  assert.equal(finishReasonOf(choices('stop', 'stop')), 'stop')
  assert.equal(finishReasonOf(choices('stop', 'length')), 'length')
  assert.equal(finishReasonOf(choices('length', 'stop')), 'length')
  assert.equal(finishReasonOf(choices(null)), null)
  assert.equal(finishReasonOf(choices()), null)
})

test('usage is what the chunk reports, and undefined if it reports none', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }
  assert.deepEqual(usageOf({ ...chunkWith({}), usage }), usage)
  assert.equal(usageOf({ ...chunkWith({}), usage: null }), undefined)
})
