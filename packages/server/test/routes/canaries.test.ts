import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, mock, test } from 'node:test'
import { type Diagnostics, onDiagnostic } from 'purser'
import {
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../support/gateway-harness.ts'
import { openWebhookReceiver } from '../support/webhook-receiver.ts'

/*
 * A secret word in every field that holds content: of requests and answers of all endpoints, of profiles, actions, notes,
 * context sources and errors. None of them is in a record, sum, limit, log line, diagnostic, metric, event or webhook.
 */

/** Every word with this prefix is content. */
const PREFIX = 'canary'
let words = 0
const canary = (field: string): string => `${PREFIX}-${field}-${words++}`
/** A field that is not content, to show that the outputs are those of these requests. */
const VISIBLE = 'visible-request'

const upstream = await startFakeProvider(answer)
const source = await startFakeProvider((request, response) => {
  if (request.path.includes('actions')) sendJson(response, { error: canary('source error') }, 500)
  else sendJson(response, { name: canary('source') })
})
const receiver = await openWebhookReceiver()
after(() => receiver[Symbol.asyncDispose]())

let log = ''
mock.method(process.stderr, 'write', (text: string) => {
  log += text
  return true
})
const diagnostics: string[] = []
const NAMES: readonly (keyof Diagnostics)[] = [
  ...(['activity', 'admission', 'resolve', 'load', 'section', 'answer'] as const),
  ...(['runtime', 'client', 'provider_refusal', 'turn'] as const),
]
for (const name of NAMES) onDiagnostic(name, (payload) => void diagnostics.push(JSON.stringify(payload)))

const { baseURL } = upstream
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL, apiKey: 'k' },
    openai: { kind: 'openai', baseURL, apiKey: 'k' },
    claude: { kind: 'anthropic', baseURL, apiKey: 'k' },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r', 'claude/c'] } },
  context: {
    sources: { profile: { url: `${source.baseURL}/profile` }, actions: { url: `${source.baseURL}/actions` } },
  },
  answers: { enabled: true },
  prices: { '*': { input: '1', output: '2' } },
  ledger: {
    limits: [
      { name: 'watched', measure: 'turns', max: 1, window: 'day', mode: 'observe', alertAt: [0.5, 1] },
      { name: 'most', measure: 'turns', max: 200, window: 'day', alertAt: [0.1] },
    ],
  },
  server: { logLevel: 'trace', allowPrivateWebhooks: true, keepResponses: {} },
})

type Answer = (request: UpstreamRequest, response: ServerResponse) => void

/** What the upstream does with a request that contains `outcome:NAME`. */
const ANSWERS = {
  answered: sendAnswer,
  tools: (request, response) =>
    request.path === 'chat/completions'
      ? sendChat(request, response, messageWithTools())
      : sendAnswer(request, response),
  rejected: (_, response) => sendJson(response, { error: errorBody() }, 400),
  down: (_, response) => sendJson(response, { error: errorBody() }, 500),
  'broken-stream': (_, response) => sendEvents(response, [{ error: errorBody() }]),
  'refuses-person'({ body }, response) {
    const error = errorBody()
    const id = String(body?.safety_identifier ?? body?.user)
    sendJson(response, { error: { ...error, message: `${id} ${error.message}` } }, 400)
  },
  cut(_, response) {
    sendEvents(response, [chunkOf({ content: canary('delta') })], { ends: false })
    setImmediate(() => response.destroy())
  },
  nonsense: (_, response) => void response.writeHead(200).end(canary('nonsense')),
} satisfies Record<string, Answer>
const OUTCOMES = Object.keys(ANSWERS) as (keyof typeof ANSWERS)[]

function answer(request: UpstreamRequest, response: ServerResponse): void {
  const outcome = OUTCOMES.find((name) => request.text.includes(`outcome:${name}`)) ?? 'answered'
  ANSWERS[outcome](request, response)
}

function errorBody(): Readonly<Record<'message' | 'type' | 'code' | 'param', string>> {
  const [message, type] = [canary('error message'), canary('error type')]
  return { message, type, code: canary('error code'), param: canary('error param') }
}

function sendAnswer(request: UpstreamRequest, response: ServerResponse): void {
  if (request.path === 'chat/completions') sendChat(request, response, message())
  else if (request.path === 'audio/speech') response.writeHead(200).end(canary('speech'))
  else sendNative(request, response)
}

function chunkOf(delta: object): object {
  const choices = [{ index: 0, delta, finish_reason: null }]
  return { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices }
}

function message(): Record<string, unknown> {
  return { content: canary('answer'), reasoning_content: canary('reasoning') }
}

function messageWithTools(): Record<string, unknown> {
  const tool_calls = ['search', canary('made-up-tool')].map((name, index) => ({
    id: canary('call'),
    index,
    type: 'function',
    function: { name, arguments: JSON.stringify({ query: canary('arguments') }) },
  }))
  return { ...message(), tool_calls }
}

function sendNative({ path }: UpstreamRequest, response: ServerResponse): void {
  const text = canary('native answer')
  const tool = { name: canary('native tool'), input: { query: canary('native input') } }
  const output = [
    { type: 'message', id: 'm', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] },
    { type: 'function_call', id: 'f', call_id: 'f', name: tool.name, arguments: JSON.stringify(tool.input) },
  ]
  const usage = { input_tokens: 5, output_tokens: 3, prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }
  if (path === 'responses') sendJson(response, { id: 'resp_1', object: 'response', status: 'completed', output, usage })
  else if (path === 'messages')
    sendJson(response, {
      type: 'message',
      content: [
        { type: 'text', text },
        { type: 'tool_use', id: 't', ...tool },
      ],
      usage,
    })
  else sendJson(response, { object: 'list', data: [{ text }], choices: [{ text, index: 0 }], text, usage })
}

/** Every field of chat completions that holds content. */
function chatBody(outcome: string): Record<string, unknown> {
  const part = (type: string, value: unknown): object => ({ type, [type]: value })
  const call = { id: 'call-1', type: 'function', function: { name: 'search', arguments: `{"q":"${canary('past')}"}` } }
  return {
    messages: [
      { role: 'system', content: canary('system') },
      { role: 'developer', content: canary('developer'), name: canary('name') },
      {
        role: 'user',
        content: [
          part('text', `outcome:${outcome} ${canary('user')}`),
          part('image_url', { url: `https://example.com/${canary('image')}.png` }),
          part('file', { filename: canary('file'), file_data: canary('data') }),
        ],
      },
      { role: 'assistant', content: canary('assistant'), tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call-1', content: canary('tool result') },
      { role: 'user', content: `outcome:${outcome} ${canary('last')}` },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: 'search',
          description: canary('description'),
          parameters: { type: 'object', properties: { [canary('property')]: { type: 'string' } } },
        },
      },
    ],
    metadata: { topic: canary('metadata') },
    stop: [canary('stop')],
    prediction: { type: 'content', content: canary('prediction') },
    unknown_field: canary('unknown field'),
  }
}

function requestsOf(outcome: string): readonly [path: string, body: object][] {
  const input = `outcome:${outcome} ${canary('input')}`
  const tools = [{ name: 'search', description: canary('description'), input_schema: { type: 'object' } }]
  const instructions = canary('instructions')
  return [
    ['/v1/chat/completions', chatBody(outcome)],
    ['/v1/chat/completions', { ...chatBody(outcome), stream: true }],
    ['/v1/responses', { input, instructions, metadata: { a: canary('metadata') } }],
    ['/v1/responses', { model: 'openai/r', input, instructions, stream: outcome === 'broken-stream' }],
    ['/v1/messages', { max_tokens: 5, system: canary('system'), messages: [{ role: 'user', content: input }], tools }],
    ['/v1/messages', { model: 'claude/c', max_tokens: 5, messages: [{ role: 'user', content: input }], tools }],
    ['/v1/messages/count_tokens', { model: 'claude/c', messages: [{ role: 'user', content: input }] }],
    ['/v1/completions', { prompt: input, suffix: canary('suffix') }],
    ['/v1/embeddings', { input: [input] }],
    ['/v1/moderations', { input }],
    ['/v1/images/generations', { prompt: input }],
    ['/v1/audio/speech', { input, voice: 'v', instructions }],
    // Requests that are not valid.
    ['/v1/chat/completions', { messages: canary('messages') }],
    ['/v1/responses', { input: [{ type: canary('type') }] }],
  ]
}

async function ask(path: string, body: object): Promise<string> {
  const headers = { 'x-purser-user': 'ada', 'x-request-id': VISIBLE }
  return (await gateway.fetch(path, body, headers)).text().catch(() => 'cut')
}

/** After each request one that is answered, so that no breaker opens. */
async function askAll(outcome: string): Promise<void> {
  const answered = requestsOf('answered')
  for (const [index, [path, body]] of requestsOf(outcome).entries()) {
    await ask(path, body)
    if (outcome !== 'answered') await ask(...(answered[index] as [string, object]))
  }
}

async function transcribe(): Promise<void> {
  const form = new FormData()
  form.set('model', 'auto')
  form.set('prompt', canary('prompt'))
  form.set('file', new Blob([canary('audio')]), `${canary('filename')}.mp3`)
  const headers = { authorization: `Bearer ${gateway.key}`, 'x-purser-user': 'ada' }
  const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, { method: 'POST', headers, body: form })
  await response.text()
}

/** Leaves in the middle of an answer that never ends. */
async function leave(): Promise<void> {
  upstream.handle = (_, response) => sendEvents(response, [chunkOf({ content: canary('delta') })], { ends: false })
  const abort = new AbortController()
  const { messages } = chatBody('left')
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json', 'x-purser-user': 'ada' },
    body: JSON.stringify({ messages, stream: true }),
    signal: abort.signal,
  })
  await response.body?.getReader().read()
  abort.abort()
  upstream.handle = answer
}

/** Everything that comes out and is no content, by its name. */
async function readOutputs(adminKey: string): Promise<Map<string, string>> {
  const outputs = new Map<string, string>()
  const read = async (path: string, key = adminKey, init: RequestInit = {}): Promise<void> => {
    const headers = { authorization: `Bearer ${key}`, 'x-purser-user': 'ada', 'content-type': 'application/json' }
    const response = await fetch(`${gateway.url}${path}`, { ...init, headers })
    assert.equal(response.status, 200, path)
    outputs.set(path, await response.text())
  }
  for (const by of ['hour', 'day', 'month', 'model', 'limit', 'user', 'plan', 'provider'])
    await read(`/api/usage?by=${by}`)
  for (const by of ['hour', 'day', 'month', 'model', 'limit']) await read(`/api/users/ada/usage?by=${by}`)
  for (const path of [
    'turns?limit=1000',
    'users/ada/turns?limit=1000',
    'usage?format=csv',
    'overview',
    'overview/latency',
  ])
    await read(`/api/${path}`)
  for (const path of ['users', 'users/ada/limits', 'users/ada/events?limit=1000', 'audit', 'overview/days', 'webhooks'])
    await read(`/api/${path}`)
  for (const path of ['/v1/me', '/v1/me/usage', '/v1/me/turns']) await read(path, gateway.key)
  await read('/metrics')
  const limits = [{ name: 'one', measure: 'turns', max: 1, window: 'day' }]
  await read('/api/limits/simulate', adminKey, { method: 'POST', body: JSON.stringify({ limits }) })
  return outputs
}

test('no word of what was said, noted or told is in what Purser reports', async () => {
  const adminKey = await gateway.createKey('admin')
  const ada = gateway.user('ada')
  await gateway.context.webhooks.create({ url: receiver.url }, 'root')
  gateway.context.webhooks.start()
  await ada.profile.put({ name: canary('profile'), likes: [canary('profile list')] })
  await ada.actions.record({ action: canary('action'), label: canary('action label') })
  await ada.ledger.addNote(canary('note'), { actor: 'ana' })
  for (const outcome of OUTCOMES) await askAll(outcome)
  await transcribe()
  await leave()
  // Twice, so that the second one is a hit, and then refused ones.
  const repeated = { messages: [{ role: 'user', content: canary('repeated') }] }
  for (let turn = 0; turn < 80; turn++) await ask('/v1/chat/completions', repeated)
  await ada.ledger.block({ actor: 'ana', reason: 'asked' })
  await ask('/v1/chat/completions', chatBody('answered'))
  const { head } = await ada.ledger.bond()
  const last = (await ada.ledger.events({ limit: 1 }))[0]?.id
  assert.ok(head)
  const received = (): boolean => receiver.received.some(({ id }) => id === last)
  for (let count = 1; !received(); count++) await receiver.receive(count)

  const outputs = await readOutputs(adminKey)
  outputs.set('log', log)
  outputs.set('diagnostics', diagnostics.join('\n'))
  outputs.set('webhooks', JSON.stringify(receiver.received))
  const found = [...outputs].flatMap(([name, text]) => {
    const [word] = text.match(new RegExp(`${PREFIX}[\\w -]*`)) ?? []
    return word === undefined ? [] : [`${name}: ${word}`]
  })
  assert.deepEqual(found, [])

  // The words were on their way, and the outputs are about these requests.
  const sent = upstream.requests.map(({ text }) => text).join('\n')
  for (const field of ['system', 'last', 'tool result', 'description', 'source', 'metadata', 'input'])
    assert.ok(sent.includes(`${PREFIX}-${field}`), field)
  assert.ok(outputs.get('/api/turns?limit=1000')?.includes(VISIBLE))
  assert.ok(outputs.get('log')?.includes(VISIBLE))
  assert.ok(outputs.get('/metrics')?.includes('purser_requests_total{provider="chat",model="m",outcome="failed"}'))
  for (const type of ['admin_action', 'limit_threshold', 'limit_reached', 'provider_refusal'])
    assert.ok(outputs.get('webhooks')?.includes(type), type)
})
