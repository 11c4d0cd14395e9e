import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * A provider in a process of its own that answers every endpoint with as much as an answer may have. The model names what
 * it is made of.
 */

const BYTES = 16_000_000

/** The content of an answer in JSON, by the name of the model. */
const CONTENTS: Readonly<Record<string, () => string>> = {
  text: () => `"${'word '.repeat(BYTES / 5)}"`,
  quotes: () => `"${'\\"'.repeat(BYTES / 2)}"`,
}

/** The arguments of a call, which are JSON in a text. */
function call(): string {
  return `"{\\"x\\":\\"${'\\\\\\"'.repeat(BYTES / 4)}\\"}"`
}

function* numbers(): Generator<string> {
  yield '['
  for (let index = 0; index < BYTES / 10; index += 1_000) yield `${index === 0 ? '' : ','}${'0.0123456,'.repeat(999)}1`
  yield ']'
}

const USAGE = '{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
const USED = '{"input_tokens":1,"output_tokens":1,"total_tokens":2}'

function chatMessage(model: string): string {
  if (model !== 'call') return `"role":"assistant","content":${CONTENTS[model]?.()}`
  return `"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":${call()}}}]`
}

function response(model: string): string {
  const output =
    model === 'call'
      ? `{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":${call()},"status":"completed"}`
      : `{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":${CONTENTS[model]?.()}}]}`
  return `{"id":"resp_1","object":"response","status":"completed","error":null,"output":[${output}],"model":"${model}","usage":${USED}}`
}

function message(model: string): string {
  const block =
    model === 'call'
      ? `{"type":"tool_use","id":"c1","name":"f","input":{"x":${CONTENTS.quotes?.()}}}`
      : `{"type":"text","text":${CONTENTS[model]?.()}}`
  return `{"id":"msg_1","type":"message","role":"assistant","content":[${block}],"stop_reason":"end_turn","model":"${model}","usage":${USED}}`
}

function* answer(path: string, model: string, isStream: boolean): Generator<string> {
  if (path === 'embeddings') {
    yield '{"object":"list","data":[{"object":"embedding","index":0,"embedding":'
    yield* numbers()
    yield `}],"model":"${model}","usage":${USAGE}}`
  } else if (path === 'responses') {
    if (!isStream) yield response(model)
    else yield `event: response.completed\ndata: {"type":"response.completed","response":${response(model)}}\n\n`
  } else if (path === 'messages') yield message(model)
  else if (!isStream) {
    yield `{"id":"1","object":"chat.completion","created":1,"choices":[{"index":0,"message":{${chatMessage(model)}},"finish_reason":"stop"}],"usage":${USAGE},"model":"${model}"}`
  } else {
    const head = '"id":"1","object":"chat.completion.chunk","created":1'
    yield `data: {${head},"choices":[{"index":0,"delta":{${chatMessage(model)}},"finish_reason":null}],"model":"${model}"}\n\n`
    yield `data: {${head},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"model":"${model}","usage":${USAGE}}\n\n`
    yield 'data: [DONE]\n\n'
  }
}

async function serve(request: IncomingMessage, answered: ServerResponse): Promise<void> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const { model, stream } = JSON.parse(Buffer.concat(pieces).toString()) as { model: string; stream?: boolean }
  const isStream = stream === true
  answered.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' })
  for (const piece of answer((request.url ?? '').replace('/v1/', ''), model, isStream)) {
    if (!answered.write(piece)) await new Promise((resolve) => answered.once('drain', resolve))
  }
  answered.end()
}

const server = createServer((request, answered) => void serve(request, answered).catch(() => answered.destroy()))
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`)
})
