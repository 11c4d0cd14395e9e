import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import fc from 'fast-check'
import { convertToChatRequest } from '../../src/ai-sdk/convert-to-chat-request.ts'
import { convertToContent, StreamPartWriter } from '../../src/ai-sdk/convert-to-stream-parts.ts'
import { type ErrorCode, PurserError } from '../../src/errors.ts'
import type { ChatMessage, ChatRequest } from '../../src/openai/chat.ts'
import { mergeChunks } from '../../src/openai/merge-chunks.ts'
import { ChunkWriter, convertToCompletion } from '../../src/providers/ai-sdk/chunk-writer.ts'
import { convertToCallOptions } from '../../src/providers/ai-sdk/convert-to-call-options.ts'
import { convertToPrompt } from '../../src/providers/ai-sdk/convert-to-prompt.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('AI SDK translation')

const signal = new AbortController().signal
const header = { id: 'c', created: 1, model: 'm' }

/** Texts without a visible character are left out of prompts. */
const word = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '')
const userMessage = fc.record(
  {
    role: fc.constant('user' as const),
    content: fc.array(
      fc.oneof(
        word.map((text) => ({ type: 'text' as const, text })),
        fc.base64String({ minLength: 4 }).map((data) => ({
          type: 'file' as const,
          mediaType: 'image/png',
          data: { type: 'data' as const, data },
        })),
        fc.webUrl().map((url) => ({
          type: 'file' as const,
          mediaType: 'image/*',
          data: { type: 'url' as const, url: new URL(url) },
        })),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
  { noNullPrototype: true },
)
const toolLoop = fc
  .array(fc.record({ toolName: word, input: fc.dictionary(word, fc.jsonValue()), value: word, signed: fc.boolean() }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((calls): LanguageModelV4Message[] => [
    {
      role: 'assistant',
      content: calls.map(({ toolName, input, signed }, index) => ({
        type: 'tool-call',
        toolCallId: `call_${index}`,
        toolName,
        input: JSON.parse(JSON.stringify(input)),
        ...(signed ? { providerOptions: { google: { thoughtSignature: 'sig' } } } : {}),
      })),
    },
    {
      role: 'tool',
      content: calls.map(({ toolName, value }, index) => ({
        type: 'tool-result',
        toolCallId: `call_${index}`,
        toolName,
        output: { type: 'text', value },
      })),
    },
  ])
const assistant = word.map((text): LanguageModelV4Message[] => [
  { role: 'assistant', content: [{ type: 'text', text }] },
])
const prompt = fc
  .tuple(
    fc.array(
      word.map((content): LanguageModelV4Message => ({ role: 'system', content })),
      { maxLength: 2 },
    ),
    fc.array(
      fc.oneof(
        userMessage.map((message): LanguageModelV4Message[] => [message]),
        toolLoop,
        assistant,
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  )
  .map(([system, rest]) => [...system, ...rest.flat()])
  // Consecutive tool results are one message in both formats.
  .filter((messages) => messages.every(({ role }, at) => role !== 'tool' || messages[at + 1]?.role !== 'tool'))

test('a prompt converted to OpenAI messages and back is the same prompt, with images, tool calls and signatures', () => {
  fc.assert(
    fc.property(prompt, (original) => {
      const { messages } = convertToChatRequest({ prompt: original })
      assert.deepEqual(convertToPrompt(JSON.parse(JSON.stringify(messages)) as ChatMessage[]), original)
    }),
    { seed, numRuns: rounds(5_000, 500) },
  )
})

test('texts without a visible character do not reach a provider, in any role', () => {
  for (const blank of ['', ' ', '\n\t']) {
    const text = { type: 'text', text: blank }
    const image = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } }
    const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }
    const converted = convertToPrompt([
      { role: 'system', content: blank },
      { role: 'developer', content: [text, { type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: blank },
      { role: 'user', content: [text, image, text] },
      { role: 'assistant', content: [text] },
      { role: 'assistant', content: blank, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c', content: blank },
      { role: 'assistant', content: null },
      { role: 'user', content: [text, { type: 'text', text: 'Hi' }] },
    ])
    assert.deepEqual(
      converted.map(({ role, content }) => [
        role,
        typeof content === 'string' ? content.trim() : content.map((part) => part.type),
      ]),
      [
        ['system', 'Be brief.'],
        ['user', ['file']],
        ['assistant', ['tool-call']],
        ['tool', ['tool-result']],
        ['user', ['text']],
      ],
    )
    const result = converted[3]?.content[0]
    assert.ok(typeof result === 'object' && result.type === 'tool-result')
    assert.deepEqual(result.output, { type: 'json', value: blank })
    assert.throws(() => convertToPrompt([{ role: 'user', content: blank }]), { code: 'request_invalid' })
  }
})

test('call options converted to a chat request and back are the same options', () => {
  const options: LanguageModelV4CallOptions = {
    prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    maxOutputTokens: 5,
    temperature: 0.5,
    topP: 0.9,
    topK: 3,
    presencePenalty: 0.1,
    frequencyPenalty: 0.2,
    stopSequences: ['END'],
    seed: 7,
    reasoning: 'low',
    responseFormat: { type: 'json', name: 'shape', description: 'd', schema: { type: 'object', properties: {} } },
    tools: [{ type: 'function', name: 'f', description: 'd', inputSchema: { type: 'object' }, strict: true }],
    toolChoice: { type: 'tool', toolName: 'f' },
  }
  const {
    providerOptions: _,
    abortSignal: __,
    ...converted
  } = convertToCallOptions(JSON.parse(JSON.stringify(convertToChatRequest(options))), signal)
  assert.deepEqual(converted, options)
})

test('token limits, stop sequences, response formats and tool choices are read in each of their forms', () => {
  const convert = (fields: Partial<ChatRequest>) =>
    convertToCallOptions({ messages: [{ role: 'user', content: 'Hi' }], ...fields }, signal)
  assert.equal(convert({ max_tokens: 3 }).maxOutputTokens, 3)
  assert.equal(convert({ max_tokens: 3, max_completion_tokens: 4 }).maxOutputTokens, 4)
  assert.deepEqual(convert({ stop: 'X' }).stopSequences, ['X'])
  assert.deepEqual(convert({ response_format: { type: 'json_object' } }).responseFormat, { type: 'json' })
  assert.equal(convert({ response_format: { type: 'text' }, temperature: null, stop: null }).responseFormat, undefined)
  for (const choice of ['auto', 'none', 'required'] as const)
    assert.deepEqual(convert({ tool_choice: choice }).toolChoice, { type: choice })
  const { providerOptions } = convert({ safety_identifier: 'hash', parallel_tool_calls: false })
  assert.deepEqual(providerOptions?.anthropic, { metadata: { userId: 'hash' }, disableParallelToolUse: true })
  assert.deepEqual(providerOptions?.azure, { safetyIdentifier: 'hash', parallelToolCalls: false })
})

test('a field that the AI SDK cannot express is an error with its parameter, not dropped', () => {
  const user: ChatMessage = { role: 'user', content: 'Hi' }
  const unsupported: [object, string][] = [
    [{ n: 2 }, 'n'],
    [{ logprobs: true }, 'logprobs'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ logit_bias: { 7: 1 } }, 'logit_bias'],
    [{ functions: [{ name: 'f' }] }, 'functions'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0]'],
    [{ tool_choice: { type: 'allowed_tools' } }, 'tool_choice'],
    [{ response_format: { type: 'grammar' } }, 'response_format'],
    [{ messages: [{ role: 'function', content: 'x' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: [{ type: 'video_url' }] }] }, 'messages[0].content[0]'],
  ]
  const invalid: [object, string][] = [
    [{ messages: [user, { role: 'tool', content: 'x', tool_call_id: 'unknown' }] }, 'messages[1].tool_call_id'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] }] },
      'messages[0].content[0]',
    ],
    [
      { messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{' } }] }] },
      'messages[0].tool_calls[0].function.arguments',
    ],
  ]
  const check = (cases: typeof invalid, code: ErrorCode): void => {
    for (const [fields, param] of cases) {
      assert.throws(
        () => convertToCallOptions({ messages: [user], ...fields }, signal),
        (error: unknown) => PurserError.is(error, code) && error.details?.param === param,
        param,
      )
    }
  }
  check(unsupported, 'unsupported_parameter')
  check(invalid, 'request_invalid')
})

const usage = {
  inputTokens: { total: 9, noCache: 4, cacheRead: 5, cacheWrite: undefined },
  outputTokens: { total: 6, text: 4, reasoning: 2 },
}
const parts: LanguageModelV4StreamPart[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'response-metadata', id: 'r' },
  { type: 'reasoning-start', id: '0' },
  { type: 'reasoning-delta', id: '0', delta: 'hm' },
  { type: 'reasoning-end', id: '0' },
  { type: 'text-start', id: '1' },
  { type: 'text-delta', id: '1', delta: 'Let me ' },
  { type: 'text-delta', id: '1', delta: 'look.' },
  { type: 'text-end', id: '1' },
  { type: 'tool-input-start', id: 'a', toolName: 'f' },
  { type: 'tool-input-delta', id: 'a', delta: '{"x"' },
  { type: 'tool-input-delta', id: 'a', delta: ':1}' },
  { type: 'tool-input-end', id: 'a' },
  {
    type: 'tool-call',
    toolCallId: 'a',
    toolName: 'f',
    input: '{"x":1}',
    providerMetadata: { google: { thoughtSignature: 's' } },
  },
  { type: 'tool-call', toolCallId: 'b', toolName: 'g', input: '{"y":2}' },
  { type: 'tool-input-start', id: 'p', toolName: 'search', providerExecuted: true },
  { type: 'tool-input-delta', id: 'p', delta: '{}' },
  { type: 'tool-call', toolCallId: 'p', toolName: 'search', input: '{}', providerExecuted: true },
  { type: 'ping' },
  { type: 'finish', finishReason: { unified: 'tool-calls', raw: 'tool_use' }, usage },
]

test('stream parts become chunks (role first, reasoning, text, tool calls, finish, usage) and parts again', () => {
  const writer = new ChunkWriter(header)
  const chunks = parts.flatMap((part) => writer.write(part))
  assert.equal(writer.isFinished, true)
  assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant')
  assert.ok(chunks.slice(1).every((chunk) => chunk.choices[0]?.delta.role === undefined))
  const completion = mergeChunks(chunks)
  assert.deepEqual(completion.choices[0], {
    index: 0,
    message: {
      role: 'assistant',
      content: 'Let me look.',
      reasoning_content: 'hm',
      tool_calls: [
        {
          id: 'a',
          type: 'function',
          function: { name: 'f', arguments: '{"x":1}' },
          extra_content: { google: { thoughtSignature: 's' } },
        },
        { id: 'b', type: 'function', function: { name: 'g', arguments: '{"y":2}' } },
      ],
    },
    finish_reason: 'tool_calls',
  })
  assert.deepEqual(completion.usage, {
    prompt_tokens: 9,
    completion_tokens: 6,
    total_tokens: 15,
    prompt_tokens_details: { cached_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 2 },
  })

  const partWriter = new StreamPartWriter()
  const back = [...chunks.flatMap((chunk) => partWriter.write(chunk)), ...partWriter.end()]
  const text = back.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('')
  assert.equal(text, 'Let me look.')
  assert.deepEqual(
    back.filter((part) => part.type === 'tool-call'),
    parts.filter((part) => part.type === 'tool-call' && !part.providerExecuted),
  )
  assert.deepEqual(back.at(-1), { type: 'finish', finishReason: { unified: 'tool-calls', raw: 'tool_calls' }, usage })
  const opened = back.filter((part) => /-start$/.test(part.type)).length
  assert.equal(back.filter((part) => /-end$/.test(part.type)).length, opened, 'every block that starts also ends')
})

test('a generate result becomes a completion, and content again', () => {
  const content = [
    { type: 'reasoning' as const, text: 'hm' },
    { type: 'text' as const, text: 'Hi' },
    { type: 'tool-call' as const, toolCallId: 'a', toolName: 'f', input: '{}' },
  ]
  const completion = convertToCompletion(
    { content, finishReason: { unified: 'stop', raw: 'end_turn' }, usage, warnings: [] },
    header,
  )
  assert.equal(completion.choices[0]?.finish_reason, 'stop')
  assert.deepEqual(convertToContent(completion), content)
})

test('a finish reason without an OpenAI equivalent never becomes a clean stop', () => {
  const reasons = [
    { unified: 'other', raw: 'stop' },
    { unified: 'error', raw: 'malformed' },
    { unified: 'other', raw: 'pause_turn' },
  ] as const
  for (const finishReason of reasons) {
    const [chunk] = new ChunkWriter(header).write({ type: 'finish', finishReason, usage })
    assert.notEqual(chunk?.choices[0]?.finish_reason, 'stop')
  }
})

test('a finish part without a reason means that the stream was cut', () => {
  for (const finishReason of [
    { unified: 'other', raw: undefined },
    { unified: 'interrupted', raw: 'x' },
  ] as const) {
    const writer = new ChunkWriter(header)
    assert.deepEqual(writer.write({ type: 'finish', finishReason, usage }), [])
    assert.equal(writer.isFinished, false)
  }
})

test('an error part is thrown', () => {
  const error = new Error('overloaded')
  assert.throws(() => new ChunkWriter(header).write({ type: 'error', error }), error)
})
