import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * A fake OpenAI-compatible provider, run as a child process. The first word of the last user message selects its
 * behavior: `cut`, `hang`, `slow`, `status 500`; any other message is answered completely. `/control/…` returns the
 * requests that it received, forgets them or releases the slow answers.
 */

interface ReceivedRequest {
  readonly authorization: string | undefined
  readonly body: {
    model: string
    stream?: boolean
    messages: { role: string; content: string }[]
    [field: string]: unknown
  }
  aborted: boolean
}

const name = process.argv[2] ?? 'upstream'
const requests: ReceivedRequest[] = []
let releases: (() => void)[] = []

/** The exact answer to a question, as the parts in which it is streamed. */
function getAnswerParts(model: string, question: string): string[] {
  return [`${name} `, `(${model}) `, 'says: ', question, ' ✓ "quoted" \u2028 end']
}

function createChunk(model: string, delta: object, finishReason: string | null = null): object {
  const choices = [{ index: 0, delta, finish_reason: finishReason }]
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model, choices }
}

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const part of request) text += part
  return text
}

async function handleChat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = JSON.parse(await readBody(request)) as ReceivedRequest['body']
  const received: ReceivedRequest = { authorization: request.headers.authorization, body, aborted: false }
  requests.push(received)
  response.on('close', () => {
    received.aborted = !response.writableFinished
  })
  const question = String(body.messages.findLast(({ role }) => role === 'user')?.content ?? '')
  if (question.startsWith('hang')) return
  const status = /^status (\d+)/.exec(question)?.[1]
  if (status !== undefined) {
    const headers = { 'content-type': 'application/json', ...(status === '429' ? { 'retry-after': '7' } : {}) }
    response
      .writeHead(Number(status), headers)
      .end(JSON.stringify({ error: { message: `upstream ${status}`, code: 'x' } }))
    return
  }
  if (body.stream === true) return streamAnswer(body, question, response)
  if (question.startsWith('cut')) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"id":')
    setImmediate(() => response.destroy())
    return
  }
  if (question.startsWith('slow')) await waitForRelease()
  const message = { role: 'assistant', content: getAnswerParts(body.model, question).join('') }
  const choices = [{ index: 0, message, finish_reason: 'stop' }]
  const completion = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: body.model,
    choices,
    usage: USAGE,
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion))
}

async function streamAnswer(body: ReceivedRequest['body'], question: string, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (value: object): boolean => response.write(`data: ${JSON.stringify(value)}\n\n`)
  send(createChunk(body.model, { role: 'assistant', content: '' }))
  const [first = '', ...rest] = getAnswerParts(body.model, question)
  send(createChunk(body.model, { content: first }))
  if (question.startsWith('cut')) {
    setTimeout(() => response.destroy(), 20)
    return
  }
  if (question.startsWith('slow')) await waitForRelease()
  for (const content of rest) send(createChunk(body.model, { content }))
  send(createChunk(body.model, {}, 'stop'))
  const options = body.stream_options as { include_usage?: boolean } | undefined
  if (options?.include_usage === true) send({ ...createChunk(body.model, {}), choices: [], usage: USAGE })
  response.end('data: [DONE]\n\n')
}

function waitForRelease(): Promise<void> {
  return new Promise((resolve) => releases.push(resolve))
}

async function handleControl(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/control/release') {
    for (const release of releases) release()
    releases = []
  }
  if (request.url === '/control/reset') requests.length = 0
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(requests))
}

const server = createServer((request, response) => {
  const handle = request.url?.startsWith('/control/') === true ? handleControl : handleChat
  handle(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`)
})
