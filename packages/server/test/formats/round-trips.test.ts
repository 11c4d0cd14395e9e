import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ChatChunk } from 'purser'
import { toChunks } from 'purser/internal'
import { mergeChunks } from '../../../purser/src/openai/merge-chunks.ts'
import { type AnswerWriter, formatEvents } from '../../src/formats/answer-writer.ts'
import { convertMessages } from '../../src/formats/messages/convert-messages.ts'
import { MessageWriter } from '../../src/formats/messages/message-writer.ts'
import { convertInput } from '../../src/formats/responses/convert-input.ts'
import { ResponseWriter } from '../../src/formats/responses/response-writer.ts'

/* What a model says survives the way through another format and back, however its chunks are cut. */

interface Said {
  readonly reasoning: string
  /** Empty: the reasoning is not signed. */
  readonly signature: string
  readonly content: string
  readonly calls: readonly { readonly id: string; readonly name: string; readonly input: Record<string, unknown> }[]
}

const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => value.isWellFormed())
const calls = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^call_[a-z0-9]{1,8}$/),
    name: fc.stringMatching(/^[a-z_]{1,12}$/),
    input: fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.oneof(text, fc.integer(), fc.boolean()), { maxKeys: 4 }),
  }),
  { selector: ({ id }) => id, maxLength: 4 },
)
const said: fc.Arbitrary<Said> = fc
  .record({ reasoning: text, signature: fc.constantFrom('', 'signed'), content: text, calls })
  .filter((value) => value.content !== '' || value.calls.length > 0)
/** Lengths of the pieces in which a text arrives. */
const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 })

function* cut(value: string, lengths: readonly number[]): Generator<string> {
  for (let start = 0, index = 0; start < value.length; index++) {
    const end = start + (lengths[index % lengths.length] ?? 1)
    yield value.slice(start, end)
    start = end
  }
}

function detailsOf({ reasoning, signature }: Said): Record<string, unknown> {
  if (signature === '') return {}
  return { reasoning_details: [{ type: 'reasoning.text', text: reasoning, signature }] }
}

function chunksOf(value: Said, lengths: readonly number[]): ChatChunk[] {
  const { reasoning, content, calls: said } = value
  const chunk = (delta: Record<string, unknown>, finish_reason: string | null = null): ChatChunk => ({
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason }],
  })
  return [
    ...Array.from(cut(reasoning, lengths), (piece) => chunk({ reasoning_content: piece })),
    ...(value.signature === '' ? [] : [chunk(detailsOf(value))]),
    ...Array.from(cut(content, lengths), (piece) => chunk({ content: piece })),
    ...said.flatMap(({ id, name, input }, index) => [
      chunk({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }),
      ...Array.from(cut(JSON.stringify(input), lengths), (piece) =>
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
      ),
    ]),
    chunk({}, said.length > 0 ? 'tool_calls' : 'stop'),
  ]
}

/** The message of the assistant that the answer is in a later request. */
function messageOf(value: Said): object {
  const { reasoning, content, calls: said } = value
  return {
    role: 'assistant',
    content: content === '' ? null : content,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...detailsOf(value),
    ...(said.length === 0
      ? {}
      : {
          tool_calls: said.map(({ id, name, input }) => ({
            id,
            type: 'function',
            function: { name, arguments: JSON.stringify(input) },
          })),
        }),
  }
}

async function streamOf(value: Said, lengths: readonly number[], writer: AnswerWriter): Promise<string> {
  let stream = ''
  for (const chunk of chunksOf(value, lengths)) stream += await formatEvents(writer.push(chunk))
  return stream + (await formatEvents(await writer.end()))
}

function eventsOf(stream: string): Record<string, unknown>[] {
  return stream
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => JSON.parse(frame.slice(frame.indexOf('data: ') + 6)) as Record<string, unknown>)
}

/** The same answer, as a provider gives it that does not stream. */
async function writeWhole<Writer extends AnswerWriter>(value: Said, writer: Writer): Promise<Writer> {
  for (const chunk of toChunks(mergeChunks(chunksOf(value, [1_000])))) writer.push(chunk)
  await writer.end()
  return writer
}

const HEADER = { id: 'resp_1', createdAt: 1, previousId: null, store: false }

test('an answer is the same after its way through a response, and in one piece as in many', async () => {
  await fc.assert(
    fc.asyncProperty(said, cuts, async (value, lengths) => {
      const request = { model: 'm', input: 'x', include: ['reasoning.encrypted_content'] }
      const write = async (pieces: readonly number[]): Promise<{ answer: { output: object[] }; stream: string }> => {
        const writer = new ResponseWriter(request, HEADER, { now: () => 2 })
        const stream = await streamOf(value, pieces, writer)
        return { answer: writer.answer as { output: object[] }, stream }
      }
      const { answer, stream } = await write(lengths)
      assert.deepEqual(convertInput(JSON.parse(JSON.stringify(answer.output))), [messageOf(value)])
      assert.deepEqual(answer, (await write([1_000])).answer)
      assert.deepEqual(answer, (await writeWhole(value, new ResponseWriter(request, HEADER, { now: () => 2 }))).answer)
      const events = eventsOf(stream)
      assert.deepEqual(
        events.map((event) => event.sequence_number),
        events.map((_, index) => index),
      )
      assert.deepEqual(events.at(-1)?.response, JSON.parse(JSON.stringify(answer)))
      const added = events.filter(({ type }) => type === 'response.output_item.added')
      const done = events.filter(({ type }) => type === 'response.output_item.done')
      assert.deepEqual(
        done.map(({ item }) => item),
        answer.output,
      )
      assert.equal(added.length, done.length)
    }),
    { numRuns: 300 },
  )
})

test('an answer is the same after its way through a message, and in one piece as in many', () => {
  return fc.assert(
    fc.asyncProperty(said, cuts, async (value, lengths) => {
      const write = async (pieces: readonly number[]): Promise<{ answer: { content: object[] }; stream: string }> => {
        const writer = new MessageWriter({ id: 'msg_1', model: 'm' })
        const stream = await streamOf(value, pieces, writer)
        return { answer: writer.answer as { content: object[] }, stream }
      }
      const { answer, stream } = await write(lengths)
      const [message] = await convertMessages([{ role: 'assistant', content: answer.content }])
      assert.deepEqual(message, messageOf(value))
      assert.deepEqual(answer, (await write([1_000])).answer)
      assert.deepEqual(answer, (await writeWhole(value, new MessageWriter({ id: 'msg_1', model: 'm' }))).answer)
      const open: unknown[] = []
      for (const { type, index } of eventsOf(stream)) {
        if (type === 'content_block_start') open.push(index)
        if (type === 'content_block_stop') assert.equal(open.pop(), index)
        assert.ok(open.length <= 1)
      }
      assert.deepEqual(open, [])
    }),
    { numRuns: 300 },
  )
})
