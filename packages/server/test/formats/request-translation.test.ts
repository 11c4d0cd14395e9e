import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printSeed, rounds, seed } from '../../../purser/test/support/fuzz-options.ts'
import { convertRequest as convertMessage } from '../../src/formats/messages/convert-request.ts'
import { convertRequest as convertResponse } from '../../src/formats/responses/convert-request.ts'
import { createResponse } from '../../src/formats/responses/response-object.ts'
import { type Conversation, conversation, type Part, type Turn } from './conversation.ts'
import { writeChat, writeMessage, writeResponse } from './write-conversation.ts'

/* Whatever a request says in a format, it says as chat completions, if both formats can say it. */

printSeed('request translation')

const parameters = { seed, numRuns: rounds(20_000, 300) }

/** A permutation of so many items, by random weights. */
const orders = fc
  .array(fc.nat(), { minLength: 5, maxLength: 5 })
  .map(
    (weights) => (count: number) =>
      Array.from({ length: count }, (_, index) => index).sort((a, b) => (weights[a] ?? 0) - (weights[b] ?? 0) || a - b),
  )

test('a request for a response says the same as chat completions', () => {
  fc.assert(
    fc.property(conversation, orders, (value, order) => {
      // Responses have no sequences that end an answer.
      const said = { ...value, stop: [] }
      const request = JSON.parse(JSON.stringify(writeResponse(said, order)))
      assert.deepEqual(toPlain(convertResponse(request)), writeChat(said))
    }),
    parameters,
  )
})

/** Settings that both of OpenAI's formats have, as chat completions and as a response write them. */
const SETTINGS: Readonly<Record<string, { readonly chat: object; readonly response: object }>> = {
  cacheKey: { chat: { prompt_cache_key: 'k' }, response: { prompt_cache_key: 'k' } },
  cacheOptions: {
    chat: { prompt_cache_options: { mode: 'explicit', ttl: '30m' } },
    response: { prompt_cache_options: { mode: 'explicit', ttl: '30m' } },
  },
  cacheRetention: { chat: { prompt_cache_retention: '24h' }, response: { prompt_cache_retention: '24h' } },
  tier: { chat: { service_tier: 'flex' }, response: { service_tier: 'flex' } },
  moderation: { chat: { moderation: { model: 'a' } }, response: { moderation: { model: 'a' } } },
  user: { chat: { user: 'ada' }, response: { user: 'ada' } },
  verbosity: { chat: { verbosity: 'low' }, response: { text: { verbosity: 'low' } } },
  logprobs: { chat: { logprobs: true, top_logprobs: 2 }, response: { top_logprobs: 2 } },
  stream: {
    chat: { stream: true, stream_options: { include_usage: true, include_obfuscation: false } },
    response: { stream: true, stream_options: { include_obfuscation: false } },
  },
  tools: {
    chat: {
      tools: [
        { type: 'custom', custom: { name: 'c', description: 'd', format: { type: 'text' } } },
        {
          type: 'custom',
          custom: { name: 'g', format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'x' } } },
        },
      ],
      tool_choice: {
        type: 'allowed_tools',
        allowed_tools: { mode: 'required', tools: [{ type: 'custom', custom: { name: 'c' } }] },
      },
    },
    response: {
      tools: [
        { type: 'custom', name: 'c', description: 'd', format: { type: 'text' } },
        { type: 'custom', name: 'g', format: { type: 'grammar', syntax: 'lark', definition: 'x' } },
      ],
      tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'custom', name: 'c' }] },
    },
  },
  parts: {
    chat: {
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'a', prompt_cache_breakpoint: { mode: 'explicit' } }] },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'No' }] },
        { role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] },
      ],
    },
    response: {
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'a', prompt_cache_breakpoint: { mode: 'explicit' } }] },
        { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'No' }] },
        { role: 'user', content: [{ type: 'input_file', file_id: 'file-1' }] },
      ],
    },
  },
}

test('every setting of both formats is translated, alone and with others', () => {
  const shortest = { chat: { messages: [{ role: 'user', content: 'x' }] }, response: { input: 'x' } }
  fc.assert(
    fc.property(fc.subarray(Object.values(SETTINGS)), (chosen) => {
      const response = Object.assign({ ...shortest.response }, ...chosen.map((one) => one.response))
      const chat = Object.assign({ ...shortest.chat }, ...chosen.map((one) => one.chat))
      assert.deepEqual(convertResponse(structuredClone(response)), chat)
    }),
    parameters,
  )
})

test('null and the defaults of a response are no settings of chat completions', () => {
  const names = Object.keys(createResponse({}, { id: 'resp_1', createdAt: 1, previousId: null, store: false }))
  const request = Object.fromEntries(names.map((name) => [name, null]))
  assert.deepEqual(convertResponse({ ...request, input: 'x' }), { messages: [{ role: 'user', content: 'x' }] })
})

test("a request in Anthropic's format says the same as chat completions", () => {
  return fc.assert(
    fc.asyncProperty(conversation, async (value) => {
      const said = inMessageFormat(value)
      const request = JSON.parse(JSON.stringify(writeMessage(said)))
      assert.deepEqual(toPlain(await convertMessage(request)), writeChat(said))
    }),
    parameters,
  )
})

function toPlain(value: object): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** Without what Anthropic's format cannot say: audio, the detail of images, the rule for calls without a choice of tools. */
function inMessageFormat(value: Conversation): Conversation {
  const { toolChoice } = value
  const canForbid = toolChoice !== undefined && toolChoice !== 'none' && value.parallelToolCalls === false
  const turns = value.turns.map((turn): Turn => {
    if (turn.kind === 'instruction') return { ...turn, role: 'system' }
    if (turn.kind === 'user') return { ...turn, parts: sayable(turn.parts) }
    return { ...turn, calls: turn.calls.map((call) => ({ ...call, output: sayable(call.output) })) }
  })
  return { ...value, turns, user: undefined, parallelToolCalls: canForbid ? false : undefined }
}

function sayable<Said extends Part>(parts: readonly Said[]): Said[] {
  const others = parts.filter((part) => part.kind !== 'audio')
  const plain = others.map((part) => (part.kind === 'image' ? { ...part, detail: undefined } : part))
  return plain.length === 0 ? [{ kind: 'text', text: 'x' } as Said] : plain
}
