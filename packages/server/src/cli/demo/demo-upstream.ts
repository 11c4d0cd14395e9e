import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Effects } from 'purser'
import { http } from '../../http/node-http.ts'
import { DEMO_REFUSED_QUESTION } from './demo-data.ts'

/** One in so many calls fails, so that the Deck has something to show. */
const FAILING_CALL = 23
const ANSWER_MS = 600
const MAX_BODY_BYTES = 1_048_576
const ANSWER = 'That sounds like a good plan. Take your time, and tell me tomorrow how it went.'

/** A model provider and a receiver of webhooks on a loopback address. */
export interface DemoUpstream {
  readonly url: string
  close(): Promise<void>
}

/** Answers chat completions, refuses one question for good, and fails now and then. */
export async function openDemoUpstream(effects: Pick<Effects, 'setTimer'>): Promise<DemoUpstream> {
  let calls = 0
  const server = http.createServer(async (request, response) => {
    const body = await readBody(request)
    if (body === undefined) return send(response, 413, { error: { message: 'The body is too large.' } })
    if (request.url?.endsWith('/chat/completions') !== true) return send(response, 200, {})
    calls += 1
    if (body.includes(DEMO_REFUSED_QUESTION)) {
      return send(response, 400, { error: { message: 'This user is blocked.', code: 'identifier_blocked' } })
    }
    if (calls % FAILING_CALL === 0) return send(response, 503, { error: { message: 'The model is overloaded.' } })
    effects.setTimer(() => send(response, 200, createCompletion(body, calls)), ANSWER_MS)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let text = ''
  for await (const part of request.setEncoding('utf8')) {
    text += part
    if (text.length > MAX_BODY_BYTES) return undefined
  }
  return text
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function createCompletion(requestBody: string, call: number): object {
  const prompt_tokens = Math.ceil(requestBody.length / 4)
  const completion_tokens = Math.ceil(ANSWER.length / 4)
  const cached_tokens = call % 3 === 0 ? 0 : Math.floor(prompt_tokens / 2)
  return {
    id: `chatcmpl-${call}`,
    object: 'chat.completion',
    model: 'medium',
    choices: [{ index: 0, message: { role: 'assistant', content: ANSWER }, finish_reason: 'stop' }],
    usage: {
      prompt_tokens,
      completion_tokens,
      total_tokens: prompt_tokens + completion_tokens,
      prompt_tokens_details: { cached_tokens },
    },
  }
}
