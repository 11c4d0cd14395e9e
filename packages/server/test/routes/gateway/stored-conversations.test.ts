import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGatewayHarness, sendChat, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

/* Conversations of two users, interleaved on every endpoint: none has a word of the other's. */

const REQUESTS = process.env.PURSER_TEST_FULL === '1' ? 1_000 : 240
const CONCURRENCY = 24
const USERS = ['ada', 'bob'] as const
type UserId = (typeof USERS)[number]

const upstream = await startFakeProvider(({ path, body, text }, response) => {
  // The model repeats what both users have said in what it was sent.
  const said = [...new Set(text.match(/word \d+ of \w+/g))].join(', ')
  if (path === 'chat/completions') return sendChat({ path, headers: {}, text, body }, response, { content: said })
  const content = [{ type: 'output_text', text: said, annotations: [], logprobs: [] }]
  const output = [{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content }]
  sendJson(response, { id: 'resp_1', object: 'response', status: 'completed', output, seen: said })
})
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m'] },
    openai: { kind: 'openai', baseURL: upstream.baseURL, apiKey: 'k', models: ['r'] },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r'] } },
  server: { keepResponses: { maxPerUser: 20 } },
})

const MESSAGES = (content: string): object => ({ messages: [{ role: 'user', content }] })
const ENDPOINTS: readonly ((content: string) => readonly [path: string, body: object])[] = [
  (content) => ['chat/completions', MESSAGES(content)],
  (content) => ['messages', { ...MESSAGES(content), max_tokens: 9 }],
  (content) => ['embeddings', { input: content }],
  (content) => ['completions', { prompt: content }],
  (content) => ['responses', { input: content, store: false }],
]

/** Ids of responses, newest last; and what a conversation has said up to each. */
const newest: Record<UserId, string[]> = { ada: [], bob: [] }
const problems: string[] = []

async function send(user: UserId, path: string, body: object): Promise<{ status: number; text: string }> {
  const response = await gateway.fetch(`/v1/${path}`, body, { 'x-purser-user': user })
  return { status: response.status, text: await response.text() }
}

async function converse(user: UserId, number: number): Promise<void> {
  const other = user === 'ada' ? 'bob' : 'ada'
  const model = number % 2 === 0 ? 'm' : 'openai/r'
  const previous = number % 5 === 0 ? undefined : newest[user].at(-1)
  const body = { model, input: `word ${number} of ${user}`, previous_response_id: previous }
  const { status, text } = await send(user, 'responses', body)
  if (status !== 200) {
    // The conversation before may have been removed, as older than the newest twenty.
    if (previous === undefined || newest[user].slice(-10).includes(previous)) problems.push(`${number}: ${text}`)
    return
  }
  const { id } = JSON.parse(text) as { id: string }
  newest[user].push(id)
  if (text.includes(`of ${other}`) || !text.includes(`word ${number} of ${user}`)) problems.push(`${number}: ${text}`)
  const foreign = newest[other].at(-1)
  if (foreign === undefined || number % 4 !== 0) return
  const taken = await send(user, 'responses', { ...body, previous_response_id: foreign })
  const headers = { authorization: `Bearer ${gateway.key}`, 'x-purser-user': user }
  const read = await fetch(`${gateway.url}/v1/responses/${foreign}`, { headers })
  if (taken.status !== 400 || read.status !== 404) problems.push(`${number} got a response of ${other}`)
  await read.body?.cancel()
}

test(`${REQUESTS} interleaved requests of two users, with stored conversations, have no word of the other's`, async () => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < REQUESTS) {
      const number = next++
      const user = USERS[number % 2] ?? 'ada'
      if (number % 3 !== 0) {
        await converse(user, number)
        continue
      }
      const endpoint = ENDPOINTS[number % ENDPOINTS.length]
      assert.ok(endpoint)
      const [path, body] = endpoint(`word ${number} of ${user}`)
      const { status, text } = await send(user, path, { model: 'auto', ...body })
      if (status !== 200 || text.includes(`of ${user === 'ada' ? 'bob' : 'ada'}`)) problems.push(`${number}: ${text}`)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  assert.deepEqual(problems, [])
  for (const user of USERS) {
    assert.ok(newest[user].length > REQUESTS / 6)
    for await (const { type, value } of gateway.user(user).export()) {
      if (type !== 'response') continue
      const text = JSON.stringify(value)
      assert.ok(!text.includes(`of ${user === 'ada' ? 'bob' : 'ada'}`))
    }
  }
})
