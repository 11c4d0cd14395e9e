import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatChunk } from 'purser'
import { convertToContent, StreamPartWriter } from '../../../purser/src/ai-sdk/convert-to-stream-parts.ts'
import { ChunkMerger } from '../../../purser/src/openai/merge-chunks.ts'
import { MessageWriter } from '../../src/formats/messages/message-writer.ts'
import { ResponseWriter } from '../../src/formats/responses/response-writer.ts'

/* Answers that some providers write in other words: no format that they are translated to loses what they say. */

type Delta = Record<string, unknown>

function createChunk(
  choices: readonly (readonly [index: number, delta: Delta])[],
  finish: string | null = null,
): ChatChunk {
  const list = choices.map(([index, delta]) => ({ index, delta, finish_reason: finish }))
  return { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: list } as unknown as ChatChunk
}

/** What each format says: texts, and calls as name and input. */
async function translate(chunks: readonly ChatChunk[]): Promise<Record<string, unknown>> {
  const message = new MessageWriter({ id: 'msg_1', model: 'm' })
  const response = new ResponseWriter(
    {},
    { id: 'resp_1', createdAt: 1, previousId: null, store: false },
    {
      now: () => 2,
      keep: undefined,
    },
  )
  const parts = new StreamPartWriter()
  const merger = new ChunkMerger()
  for (const chunk of chunks) {
    message.push(chunk)
    response.push(chunk)
    parts.write(chunk)
    merger.push(chunk)
  }
  await Promise.all([message.end(), response.end()])
  const { content } = message.answer as { content: { text?: string; name?: string; input?: object }[] }
  const { output } = response.answer as {
    output: { name?: string; arguments?: string; content?: { text?: string; refusal?: string }[] }[]
  }
  const streamed = parts.end().filter(({ type }) => type === 'tool-call') as { toolName: string; input: string }[]
  const whole = convertToContent(merger.completion())
  return {
    message: content.map(({ text, name, input }) => text ?? [name, JSON.stringify(input)]),
    response: output.flatMap(({ name, arguments: input, content: texts }) =>
      name === undefined ? (texts ?? []).map(({ text, refusal }) => text ?? refusal) : [[name, input]],
    ),
    sdk: whole.map((part) =>
      part.type === 'text' ? part.text : part.type === 'tool-call' ? [part.toolName, part.input] : part.type,
    ),
    sdkStreamedCalls: streamed.map(({ toolName, input }) => [toolName, input]),
  }
}

function same(said: readonly unknown[]): Record<string, unknown> {
  return { message: said, response: said, sdk: said, sdkStreamedCalls: said.filter((one) => typeof one !== 'string') }
}

test('a call in the older form is a call', async () => {
  const chunks = [
    createChunk([[0, { function_call: { name: 'weather', arguments: '{"city":' } }]]),
    createChunk([[0, { function_call: { arguments: '"Pune"}' } }]]),
    createChunk([[0, {}]], 'function_call'),
  ]
  assert.deepEqual(await translate(chunks), same([['weather', '{"city":"Pune"}']]))
})

test('an answer whose only choice is not the first is the answer, and of several choices the first counts', async () => {
  assert.deepEqual(
    await translate([createChunk([[1, { content: 'Hi' }]]), createChunk([[1, {}]], 'stop')]),
    same(['Hi']),
  )
  const several = createChunk([
    [1, { content: 'B' }],
    [0, { content: 'A' }],
  ])
  const { message, response } = await translate([several, createChunk([[1, { content: 'B' }]], 'stop')])
  assert.deepEqual([message, response], [['A'], ['A']])
})

test('a refusal is text where a format has no refusals', async () => {
  const chunks = [createChunk([[0, { refusal: 'I ' }]]), createChunk([[0, { refusal: 'cannot.' }]], 'stop')]
  assert.deepEqual(await translate(chunks), same(['I cannot.']))
})
