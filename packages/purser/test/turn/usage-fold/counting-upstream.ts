import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chunk } from '../../support/turn-harness.ts'
import { isStreamed, type TurnScript } from './turn-script.ts'

/** What the upstream has sent for one call. */
export interface UpstreamCall {
  readonly number: number
  readonly model: string
  /** `answered`: to the end; `cut`: deltas without an end; `failed`: an error, or nothing. */
  outcome: 'answered' | 'cut' | 'failed'
  inputTokens: number
  outputTokens: number
  cachedTokens: number
}

export interface CountingUpstream extends AsyncDisposable {
  readonly origin: string
  readonly calls: readonly UpstreamCall[]
  /** Called for each call, before it is answered. */
  onCall: () => void
}

const TEXT = 'word '
const NO_TOKENS = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 }

/**
 * An upstream on loopback that does what the script in the request says and counts what it sends. Its two providers are
 * two paths. A stream of `cut` or `joinLeave` goes on when `/continue/NUMBER/MODEL` is asked for.
 */
export async function startCountingUpstream(): Promise<CountingUpstream> {
  const calls: UpstreamCall[] = []
  const continued = new Map<string, PromiseWithResolvers<void>>()
  const continuation = (call: string): PromiseWithResolvers<void> => {
    const found = continued.get(call) ?? Promise.withResolvers<void>()
    continued.set(call, found)
    return found
  }

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, provider, ...path] = (incoming.url ?? '').split('/')
    if (provider === 'continue') {
      continuation(path.join('/')).resolve()
      response.end()
      return
    }
    let text = ''
    for await (const part of incoming) text += part
    const { messages, model } = JSON.parse(text) as { readonly messages: { content: string }[]; readonly model: string }
    const script = JSON.parse(messages.findLast(({ content }) => content.startsWith('{'))?.content ?? '') as TurnScript
    const call: UpstreamCall = { number: script.number, model: `${provider}/${model}`, outcome: 'failed', ...NO_TOKENS }
    calls.push(call)
    upstream.onCall()
    const fails = script.kind === 'down' || (script.kind === 'fallback' && provider === 'local')
    if (script.kind === 'abort') return
    if (fails || script.kind === 'rejected') fail(response, fails ? 503 : 400)
    else if (!isStreamed(script)) complete(response, { script, call })
    else await stream(response, { script, call, mayEnd: () => continuation(`${script.number}/${model}`).promise })
  }

  const server = createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const upstream: CountingUpstream = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    onCall: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return upstream
}

interface Answering {
  readonly script: TurnScript
  readonly call: UpstreamCall
}

function usageOf({ inputTokens, outputTokens, cachedTokens }: Omit<UpstreamCall, 'number' | 'model' | 'outcome'>) {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}

function fail(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { message: 'no', type: 'x', code: null, param: null } }))
}

function complete(response: ServerResponse, { script, call }: Answering): void {
  const { kind, inputTokens, outputTokens, cachedTokens, deltas } = script
  const tool_calls = Array.from({ length: kind === 'tools' ? deltas : 0 }, (_, index) => ({
    id: `call-${index}`,
    type: 'function',
    function: { name: 'search', arguments: '{}' },
  }))
  const message = { role: 'assistant', content: TEXT, ...(kind === 'tools' ? { tool_calls } : {}) }
  const choices = [{ index: 0, message, finish_reason: kind === 'tools' ? 'tool_calls' : 'stop' }]
  Object.assign(call, { outcome: 'answered', inputTokens, outputTokens, cachedTokens })
  const head = { id: 'c', object: 'chat.completion', created: 1, model: call.model }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ ...head, choices, usage: usageOf(call) }))
}

async function stream(
  response: ServerResponse,
  { script, call, mayEnd }: Answering & { mayEnd(): Promise<void> },
): Promise<void> {
  const { kind, deltas, inputTokens, outputTokens, cachedTokens, reportsEarly } = script
  const report = (usage: object): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: call.model, choices: [], usage })}\n\n`
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  call.outcome = 'cut'
  if (reportsEarly) {
    Object.assign(call, { inputTokens, cachedTokens })
    response.write(report(usageOf(call)))
  }
  for (let delta = 1; delta < deltas; delta++) response.write(chunk({ content: TEXT }))
  call.outputTokens = deltas
  response.write(chunk({ content: TEXT }))
  if (kind === 'leave') return
  if (kind === 'cut' || kind === 'joinLeave') await mayEnd()
  if (kind === 'cut') return void response.destroy()
  response.write(chunk({}, 'stop'))
  Object.assign(call, { outcome: 'answered', inputTokens, outputTokens, cachedTokens })
  response.write(report(usageOf(call)))
  response.end('data: [DONE]\n\n')
}
