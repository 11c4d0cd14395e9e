import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createAzure } from '@ai-sdk/azure'
import { createOpenAI } from '@ai-sdk/openai'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import fc from 'fast-check'
import type { ChatRequest } from 'purser'
import { handClock } from 'purser/testing'
import { createAiSdkChatModel } from '../../../purser/src/providers/ai-sdk/chat-model.ts'
import { printSeed, rounds, seed } from '../../../purser/test/support/fuzz-options.ts'
import { createCall } from '../../../purser/test/support/provider-harness.ts'
import { convertRequest as convertMessage } from '../../src/formats/messages/convert-request.ts'
import { convertRequest as convertResponse } from '../../src/formats/responses/convert-request.ts'
import { type Conversation, conversation, type Part, type Turn } from './conversation.ts'
import { writeChat } from './write-conversation.ts'

/*
 * A chat request on its way through the AI SDK to a provider. What the SDK's own packages write for the provider says the
 * same: directly, or read by the translation of the format that they write.
 */

printSeed('translation to the AI SDK')

const parameters = { seed, numRuns: rounds(5_000, 80) }

/** The body that a package of the SDK sends for a chat request. */
async function bodyFor(
  createModel: (fetch: typeof globalThis.fetch) => LanguageModelV4,
  request: object,
): Promise<object> {
  let body: object | undefined
  const languageModel = createModel(async (_url, init) => {
    body = JSON.parse(String(init?.body)) as object
    return Response.json({ error: { message: 'enough' } }, { status: 400 })
  })
  const model = createAiSdkChatModel({ effects: handClock(), provider: 'p', languageModel })
  await assert.rejects(model.chat(request as ChatRequest, createCall()), (error: Error) => {
    assert.match(error.message, /enough/, `${error.cause ?? error}`)
    return true
  })
  assert.ok(body)
  return body
}

/** The packages know what the models can do; of a model that they do not know they ask for less. */
const CLAUDE = 'claude-opus-4-5'
const account = { apiKey: 'k', baseURL: 'https://provider.example/v1' }
const azure = (fetch: typeof globalThis.fetch): LanguageModelV4 => createAzure({ ...account, fetch }).chat('m')
const responses = (fetch: typeof globalThis.fetch): LanguageModelV4 =>
  createOpenAI({ ...account, fetch }).responses('m')
const anthropic = (fetch: typeof globalThis.fetch): LanguageModelV4 =>
  createAnthropic({ ...account, fetch }).languageModel(CLAUDE)

test('a chat request arrives at Azure as it was sent', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, async (value) => {
      const request = writeChat(forOpenAi(value))
      assert.deepEqual(toComparable(await bodyFor(azure, request)), toComparable(request))
    }),
    parameters,
  )
})

test('a chat request is the same after its way through a response', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, async (value) => {
      // The package has neither audio nor stop sequences for this endpoint, and says that a tool is not strict.
      const tools = value.tools.map((tool) => ({ ...tool, strict: tool.strict ?? false }))
      const said = { ...forOpenAi(withoutAudio(value)), stop: [], tools }
      const request = writeChat(said)
      assert.deepEqual(toComparable(convertResponse({ ...(await bodyFor(responses, request)) })), toComparable(request))
    }),
    parameters,
  )
})

test("a chat request is the same after its way through Anthropic's format", async () => {
  await fc.assert(
    fc.asyncProperty(conversation, async (value) => {
      const said = forAnthropic(withoutAudio(value))
      const read = await convertMessage({ ...(await bodyFor(anthropic, writeChat(said))) })
      // The user is the only metadata of Anthropic.
      const expected = {
        ...said,
        user: undefined,
        metadata: said.user === undefined ? undefined : { user_id: said.user },
      }
      assert.deepEqual(toComparable(read), toComparable({ ...writeChat(expected), model: CLAUDE }))
    }),
    parameters,
  )
})

test("fields of OpenAI's own arrive at Azure", async () => {
  const breakpoint = { prompt_cache_breakpoint: { mode: 'explicit' } }
  const image = { type: 'image_url', image_url: { url: 'https://example.com/a', detail: 'high' } }
  const request = {
    model: 'm',
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.', ...breakpoint }] },
      { role: 'user', content: [{ type: 'text', text: 'Look.', ...breakpoint }, image] },
      { role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] },
      { role: 'assistant', content: null, refusal: 'No.' },
      { role: 'user', content: 'Why?' },
    ],
    verbosity: 'low',
    service_tier: 'default',
    store: true,
    metadata: { team: 'a' },
    prompt_cache_key: 'k',
    prompt_cache_retention: '24h',
    safety_identifier: 'ada',
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' }, strict: false } },
  }
  const messages = request.messages.with(3, { role: 'assistant', content: 'No.' })
  assert.deepEqual(toComparable(await bodyFor(azure, request)), { ...request, messages })
})

test('the ends of cached parts of a prompt arrive at Anthropic', async () => {
  const cached = { cache_control: { type: 'ephemeral' } }
  const text = (value: string): object => ({ type: 'text', text: value, ...cached })
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }
  const body = await bodyFor(anthropic, {
    model: CLAUDE,
    messages: [
      { role: 'user', content: [text('a')] },
      { role: 'assistant', content: [text('b')], tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: [text('c')] },
    ],
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } }, ...cached }],
  })
  const { messages, tools } = body as { messages: { content: object[] }[]; tools: object[] }
  const ends = [...messages.flatMap(({ content }) => content), ...tools].map((part) => 'cache_control' in part)
  assert.deepEqual(ends, [true, true, false, true, true])
})

test('what a provider cannot be asked for is refused', async () => {
  for (const [field, value] of Object.entries({ reasoning_effort: 'extreme', n: 2, logprobs: true, audio: {} })) {
    const request = { model: 'm', messages: [{ role: 'user', content: 'x' }], [field]: value }
    await assert.rejects(bodyFor(azure, request), /does not support/)
  }
})

/** Without what only means a default. */
function toComparable(request: object): unknown {
  const { stream, ...rest } = JSON.parse(JSON.stringify(request)) as Record<string, unknown>
  return stream === true ? { stream, ...rest } : rest
}

/** Without what the packages drop for a model that they do not know, or have another word for: reasoning, the developer, and empty outputs. */
function forOpenAi(value: Conversation): Conversation {
  const turns = value.turns.map((turn): Turn => {
    if (turn.kind === 'instruction') return { ...turn, role: 'system' }
    if (turn.kind !== 'assistant') return turn
    const calls = turn.calls.map((call) => ({
      ...call,
      output: [{ kind: 'text' as const, text: 'x' }, ...call.output],
    }))
    return { ...turn, calls, reasoning: undefined, signature: undefined }
  })
  return { ...value, turns, effort: undefined }
}

function withoutAudio(value: Conversation): Conversation {
  const turns = value.turns.map((turn): Turn => {
    if (turn.kind !== 'user') return turn
    const parts = turn.parts.filter((part: Part) => part.kind !== 'audio')
    return { ...turn, parts: parts.length === 0 ? [{ kind: 'text', text: 'x' }] : parts }
  })
  return { ...value, turns }
}

/** Without what Anthropic's format does not have, and with the choice of tools that its rule for calls stands in. */
function forAnthropic(value: Conversation): Conversation {
  const { tools, toolChoice } = value
  const canForbid = tools.length > 0 && toolChoice !== 'none' && value.parallelToolCalls === false
  // Later instructions go to the beginning for this model.
  const said = value.turns.filter(({ kind }) => kind !== 'instruction')
  const turns = said.map((turn): Turn => {
    if (turn.kind === 'user') return { ...turn, parts: turn.parts.map(withoutDetail) }
    if (turn.kind !== 'assistant') return turn
    // Images of outputs are the user's, whose messages are joined.
    const calls = turn.calls.map((call) => {
      const texts = call.output.filter(({ kind }) => kind === 'text')
      return { ...call, output: texts.length === 0 ? [{ kind: 'text' as const, text: 'x' }] : texts }
    })
    // It reads nothing that it has not signed.
    return { ...turn, calls, reasoning: turn.signature === undefined ? undefined : turn.reasoning }
  })
  return {
    ...value,
    turns,
    effort: undefined,
    // Anthropic takes one of the two.
    topP: value.temperature === undefined ? value.topP : undefined,
    parallelToolCalls: canForbid ? false : undefined,
    toolChoice: canForbid ? (toolChoice ?? 'auto') : toolChoice,
  }
}

function withoutDetail<Said extends Part>(part: Said): Said {
  return part.kind === 'image' ? { ...part, detail: undefined } : part
}
