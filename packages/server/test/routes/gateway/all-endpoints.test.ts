import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import {
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../../support/gateway-harness.ts'

/* Properties of all endpoints together: isolation of users, and clients that leave. */

const USERS = ['ada', 'bob'] as const
const NAMES = { ada: 'Ada Lovelace', bob: 'Bob Kahn' } as const
const ROUNDS = 60
/** Requests at a time: more connections than this are reset on a busy machine. */
const CONCURRENCY = 60
/** Of each endpoint that streams; a user may have only so many streams. */
const CLIENTS = 5

const upstream = await startFakeProvider(answer)
const { baseURL } = upstream
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL },
    openai: { kind: 'openai', baseURL },
    claude: { kind: 'anthropic', baseURL },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r', 'claude/c'] } },
})
for (const id of USERS) {
  const user = gateway.user(id)
  await user.profile.put({ name: NAMES[id] })
  for (const provider of ['chat', 'openai', 'claude'])
    await user.runtime.setSecret(provider, { apiKey: `key-of-${id}` })
}

/** Answers with everything that the provider got, in the format of the endpoint. */
function answer(request: UpstreamRequest, response: ServerResponse): void {
  const { headers, body, path } = request
  const seen = JSON.stringify([headers.authorization ?? headers['x-api-key'], body, request.text.slice(0, 2_000)])
  const text = { type: 'output_text', text: seen, annotations: [] }
  const output = [{ type: 'message', id: 'm', role: 'assistant', status: 'completed', content: [text] }]
  if (path === 'chat/completions') sendChat(request, response, { content: seen })
  else if (path === 'responses') sendJson(response, { id: 'resp_1', object: 'response', status: 'completed', output })
  else if (path === 'messages') sendJson(response, { type: 'message', content: [{ type: 'text', text: seen }] })
  else sendJson(response, { object: 'list', data: [], seen })
}

const MESSAGES = [{ role: 'user', content: 'Hi' }]
const REQUESTS: readonly [path: string, body: object][] = [
  ['/v1/chat/completions', { model: 'auto', messages: MESSAGES }],
  ['/v1/responses', { model: 'auto', input: 'Hi' }],
  ['/v1/responses', { model: 'openai/r', input: 'Hi' }],
  ['/v1/messages', { model: 'auto', max_tokens: 5, messages: MESSAGES }],
  ['/v1/messages', { model: 'claude/c', max_tokens: 5, messages: MESSAGES }],
  ['/v1/embeddings', { model: 'auto', input: 'Hi' }],
  ['/v1/moderations', { model: 'auto', input: 'Hi' }],
  ['/v1/completions', { model: 'auto', prompt: 'Hi' }],
  ['/v1/images/generations', { model: 'auto', prompt: 'Hi' }],
  ['/v1/audio/speech', { model: 'auto', input: 'Hi', voice: 'x' }],
]
/** Endpoints without the user's context. */
const hasContext = (path: string): boolean => /chat|responses|messages/.test(path)

interface Call {
  readonly request: (typeof REQUESTS)[number]
  readonly user: (typeof USERS)[number]
}

async function ask({ request: [path, body], user }: Call): Promise<void> {
  const response = await gateway.fetch(path, body, { 'x-purser-user': user })
  const text = await response.text()
  const other = user === 'ada' ? 'bob' : 'ada'
  assert.equal(response.status, 200, text)
  assert.ok(text.includes(`key-of-${user}`), path)
  assert.ok(!text.includes(`key-of-${other}`), path)
  assert.equal(text.includes(NAMES[user]), hasContext(path), path)
  assert.ok(!text.includes(NAMES[other]), path)
}

test('nothing of one user reaches the other, on any endpoint', async () => {
  const calls = Array.from({ length: ROUNDS }, () =>
    REQUESTS.flatMap((request) => USERS.map((user) => ({ request, user }))),
  ).flat()
  let next = 0
  const worker = async (): Promise<void> => {
    for (let call = calls[next++]; call !== undefined; call = calls[next++]) await ask(call)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  for (const user of USERS) assert.equal(await gateway.count(user), ROUNDS * REQUESTS.length)
  assert.equal(upstream.requests.length, calls.length)
  // `PROVIDER/MODEL` is a model of that provider, also if the user's own names no models.
  for (const { body } of upstream.requests)
    assert.ok(['m', 'r', 'c'].includes(String(body?.model)), String(body?.model))
})

/** Sends the beginning of a stream in the format of the endpoint, and no end. */
function begin({ path, body }: UpstreamRequest, response: ServerResponse): void {
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: body?.model }
  const deltas = [{ choices: [{ index: 0, delta: { content: 'Hel' }, text: 'Hel', finish_reason: null }] }]
  const events: Record<string, object[]> = {
    responses: [
      { type: 'response.created', response: { id: 'r', output: [] } },
      { type: 'response.output_text.delta', delta: 'Hel' },
    ],
    messages: [
      { type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 0 } } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hel' } },
    ],
  }
  sendEvents(response, events[path] ?? deltas.map((delta) => ({ ...chunk, ...delta })), { ends: false })
}

test('a client that leaves, before or in an answer, leaves no upstream call and no lease behind, and is counted', async () => {
  const streams = REQUESTS.filter(([path]) => hasContext(path) || path === '/v1/completions')
  for (const isEarly of [true, false]) {
    upstream.aborted.length = 0
    const before = await gateway.count('ada')
    let calls = 0
    await Promise.all(
      streams.flatMap(([path, body]) =>
        Array.from({ length: CLIENTS }, async () => {
          const abort = new AbortController()
          upstream.handle = (request, response) => {
            calls++
            if (!isEarly) begin(request, response)
          }
          const pending = fetch(`${gateway.url}${path}`, {
            method: 'POST',
            headers: {
              authorization: `Bearer ${gateway.key}`,
              'content-type': 'application/json',
              'x-purser-user': 'ada',
            },
            body: JSON.stringify({ ...body, stream: true }),
            signal: abort.signal,
          })
          pending.catch(() => undefined)
          if (isEarly) await until(() => calls === streams.length * CLIENTS)
          else await (await pending).body?.getReader().read()
          abort.abort()
          await pending.then((response) => response.body?.cancel().catch(() => undefined)).catch(() => undefined)
        }),
      ),
    )
    const total = streams.length * CLIENTS
    await until(() => upstream.aborted.length === total)
    await until(() => gateway.context.purser.runtime.active().every(({ inUse }) => inUse === 0))
    assert.equal(await gateway.count('ada'), before + total)
  }
})

/** Resolves when a condition holds; the test runner's time-out ends a wait that is in vain. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
