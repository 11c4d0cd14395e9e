import { crc32 } from 'node:zlib'
import type { ProviderConfig } from '../../src/options/provider-config.ts'
import { answerWith, sendEvents, sendJson, type UpstreamHandler } from './provider-upstream.ts'

/** Handlers that answer one text in the format of a provider, streamed if the request asks for a stream. */
export const WIRE_FORMATS: Readonly<
  Record<Exclude<ProviderConfig['kind'], 'demo'>, (text: string) => UpstreamHandler>
> = {
  openai: answerWith,
  'openai-compatible': answerWith,
  friendli: answerWith,
  azure: answerWith,
  anthropic: anthropicMessages,
  google: gemini,
  'amazon-bedrock': bedrockConverse,
}

export function anthropicMessages(text: string): UpstreamHandler {
  return (response, request) => {
    const usage = { input_tokens: 3, output_tokens: 2 }
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', stop_sequence: null }
    if (JSON.parse(request.body).stream !== true) {
      return sendJson(response, 200, { ...message, content: [{ type: 'text', text }], stop_reason: 'end_turn', usage })
    }
    const events = [
      {
        type: 'message_start',
        message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 0 } },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ]
    sendEvents(
      response,
      events.map((event) => JSON.stringify(event)),
    )
    response.end()
  }
}

/** Answers with reasoning and a tool call, whose input comes in two pieces. */
export function anthropicToolUse(name: string, input: readonly [string, string]): UpstreamHandler {
  return (response) => {
    const events = [
      {
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'claude',
          content: [],
          usage: { input_tokens: 3, output_tokens: 0 },
        },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 'toolu_1', name, input: {} } },
      ...input.map((piece) => ({
        type: 'content_block_delta',
        index: 1,
        delta: { type: 'input_json_delta', partial_json: piece },
      })),
      { type: 'content_block_stop', index: 1 },
      { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ]
    sendEvents(
      response,
      events.map((event) => JSON.stringify(event)),
    )
    response.end()
  }
}

export function gemini(text: string): UpstreamHandler {
  return (response, request) => {
    const usageMetadata = { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 }
    const content = { role: 'model', parts: [{ text }] }
    const answer = { candidates: [{ content, finishReason: 'STOP', index: 0 }], usageMetadata }
    if (!request.path.includes(':streamGenerateContent')) return sendJson(response, 200, answer)
    sendEvents(response, [JSON.stringify(answer)])
    response.end()
  }
}

export function bedrockConverse(text: string): UpstreamHandler {
  return (response, request) => {
    const usage = { inputTokens: 3, outputTokens: 2, totalTokens: 5 }
    if (!request.path.endsWith('/converse-stream')) {
      const message = { role: 'assistant', content: [{ text }] }
      return sendJson(response, 200, { output: { message }, stopReason: 'end_turn', usage, metrics: { latencyMs: 1 } })
    }
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    const frames = [
      eventFrame('messageStart', { role: 'assistant' }),
      eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text } }),
      eventFrame('contentBlockStop', { contentBlockIndex: 0 }),
      eventFrame('messageStop', { stopReason: 'end_turn' }),
      eventFrame('metadata', { usage, metrics: { latencyMs: 1 } }),
    ]
    response.end(Buffer.concat(frames))
  }
}

/**
 * One message of AWS's event stream: lengths, headers and payload, with a CRC of the prelude and one of the message.
 */
function eventFrame(type: string, payload: unknown): Buffer {
  const headers = Buffer.concat([
    header(':event-type', type),
    header(':content-type', 'application/json'),
    header(':message-type', 'event'),
  ])
  const body = Buffer.from(JSON.stringify(payload))
  const prelude = Buffer.alloc(8)
  prelude.writeUInt32BE(12 + headers.length + body.length + 4, 0)
  prelude.writeUInt32BE(headers.length, 4)
  const message = Buffer.concat([prelude, checksum(prelude), headers, body])
  return Buffer.concat([message, checksum(message)])
}

function header(name: string, value: string): Buffer {
  const length = Buffer.alloc(3)
  length.writeUInt8(7, 0)
  length.writeUInt16BE(Buffer.byteLength(value), 1)
  return Buffer.concat([Buffer.from([Buffer.byteLength(name)]), Buffer.from(name), length, Buffer.from(value)])
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(bytes), 0)
  return sum
}
