import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * A process of its own that plays an OpenAI-compatible provider. What the last user message begins with decides how it
 * answers: `cut`, `hang`, `slow`, `status 500`; anything else is answered in full. `/control/…` tells what it saw.
 */

interface Seen {
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
const seen: Seen[] = []
let released: (() => void)[] = []

/** The exact answer to a question, in the pieces in which it is streamed. */
function pieces(model: string, question: string): string[] {
  return [`${name} `, `(${model}) `, 'says: ', question, ' ✓ "quoted" \u2028 end']
}

function chunk(model: string, delta: object, finish: string | null = null): object {
  const choices = [{ index: 0, delta, finish_reason: finish }]
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model, choices }
}

function usage(): object {
  return { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const part of request) text += part
  return text
}

async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = JSON.parse(await bodyOf(request)) as Seen['body']
  const entry: Seen = { authorization: request.headers.authorization, body, aborted: false }
  seen.push(entry)
  response.on('close', () => {
    entry.aborted = !response.writableFinished
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
  if (body.stream === true) return stream(body, question, response)
  if (question.startsWith('cut')) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"id":')
    setImmediate(() => response.destroy())
    return
  }
  if (question.startsWith('slow')) await release()
  const message = { role: 'assistant', content: pieces(body.model, question).join('') }
  const choices = [{ index: 0, message, finish_reason: 'stop' }]
  const completion = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: body.model,
    choices,
    usage: usage(),
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion))
}

async function stream(body: Seen['body'], question: string, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (value: object): boolean => response.write(`data: ${JSON.stringify(value)}\n\n`)
  send(chunk(body.model, { role: 'assistant', content: '' }))
  const [first = '', ...rest] = pieces(body.model, question)
  send(chunk(body.model, { content: first }))
  if (question.startsWith('cut')) {
    setTimeout(() => response.destroy(), 20)
    return
  }
  if (question.startsWith('slow')) await release()
  for (const content of rest) send(chunk(body.model, { content }))
  send(chunk(body.model, {}, 'stop'))
  const options = body.stream_options as { include_usage?: boolean } | undefined
  if (options?.include_usage === true) send({ ...chunk(body.model, {}), choices: [], usage: usage() })
  response.end('data: [DONE]\n\n')
}

function release(): Promise<void> {
  return new Promise((resolve) => released.push(resolve))
}

async function control(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/control/release') {
    for (const go of released) go()
    released = []
  }
  if (request.url === '/control/reset') seen.length = 0
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(seen))
}

const server = createServer((request, response) => {
  const run = request.url?.startsWith('/control/') === true ? control : chat
  run(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`)
})
