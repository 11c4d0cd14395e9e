import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../support/gateway-harness.ts'
import { CASES, type OpenResponsesCase, problemsOfEvents, problemsOfResponse } from './open-responses.ts'

/* The tables of docs/reference/compliance.md. PURSER_WRITE_TABLES=1 writes the page instead of comparing it. */

const PAGE = new URL('../../../../docs/reference/compliance.md', import.meta.url)

let answer: Readonly<Record<string, unknown>> = { content: 'Hello' }
const chat = await startFakeProvider((request, response) => sendChat(request, response, answer))
const anthropic = await startFakeProvider(answerMessage)
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL: chat.baseURL, apiKey: 'k', models: ['m'] },
    claude: { kind: 'anthropic', baseURL: anthropic.baseURL, apiKey: 'k', models: ['claude-x'] },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'claude/claude-x'] } },
  server: { keepResponses: {} },
})
await gateway.user('ada').profile.put({ name: 'Ada Lovelace' })

type Send = Parameters<typeof sendJson>[0]
type Fields = Readonly<Record<string, unknown>>

function answerMessage({ body }: UpstreamRequest, response: Send): void {
  const usage = { input_tokens: 3, output_tokens: 2 }
  const whole = { id: 'msg_1', type: 'message', role: 'assistant', model: body?.model, stop_reason: 'end_turn', usage }
  if (body?.stream !== true) {
    sendJson(response, { ...whole, content: [{ type: 'text', text: 'Hello' }] })
    return
  }
  sendEvents(response, [
    { type: 'message_start', message: { ...whole, content: [], stop_reason: null } },
    { type: 'ping' },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage },
    { type: 'message_stop' },
  ])
}

const MESSAGE = { max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }
const SYSTEM = [
  { type: 'text', text: 'x-anthropic-billing-header: cc_version=1' },
  { type: 'text', text: 'You are Claude Code.', cache_control: { type: 'ephemeral' } },
]

function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return gateway.fetch(path, body, { 'x-purser-user': 'ada', ...headers })
}

function sent(): { readonly headers: Fields; readonly body: Fields } {
  const { headers, body } = anthropic.requests.at(-1) ?? {}
  assert.ok(headers && body)
  return { headers, body }
}

async function failsWith(response: Promise<Response>, message: string): Promise<boolean> {
  const { type, error } = (await (await response).json()) as { type: string; error: { type: string; message: string } }
  return type === 'error' && error.type === 'invalid_request_error' && error.message === message
}

/** What Claude Code's gateway protocol asks for, as requests whose outcome is known. */
const CLAUDE_CODE: Readonly<Record<string, () => Promise<boolean>>> = {
  'requests to `/v1/messages?beta=true`': async () =>
    (await post('/v1/messages?beta=true', { model: 'claude/claude-x', ...MESSAGE })).ok,
  'the key as a bearer token or as `x-api-key`, also for models': async () => {
    const key = { 'x-api-key': gateway.key, 'x-purser-user': 'ada' }
    const list = await fetch(`${gateway.url}/v1/models?limit=1000`, { headers: key })
    const headers = { ...key, 'content-type': 'application/json' }
    const body = JSON.stringify({ model: 'claude/claude-x', ...MESSAGE })
    return list.ok && (await fetch(`${gateway.url}/v1/messages`, { method: 'POST', headers, body })).ok
  },
  '`anthropic-version` and `anthropic-beta` unchanged, and further `anthropic-…` headers': async () => {
    const asked = { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a-1,b-2', 'anthropic-new-thing': 'on' }
    await post('/v1/messages', { model: 'claude/claude-x', ...MESSAGE }, asked)
    const { headers } = sent()
    return Object.entries(asked).every(([name, value]) => headers[name] === value)
  },
  'unknown fields of the body unchanged': async () => {
    const fields = {
      thinking: { type: 'adaptive' },
      context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] },
      output_config: { effort: 'high' },
      something_new: { deep: [1, 2] },
      tools: [{ name: 't', input_schema: { type: 'object' }, strict: true, defer_loading: true }],
    }
    await post('/v1/messages', { model: 'claude/claude-x', ...MESSAGE, ...fields })
    const { body } = sent()
    return Object.entries(fields).every(([name, value]) => JSON.stringify(body[name]) === JSON.stringify(value))
  },
  'the blocks of the system prompt first, unchanged and each by itself': async () => {
    await post('/v1/messages', { model: 'claude/claude-x', ...MESSAGE, system: SYSTEM })
    const system = sent().body.system as { text: string }[]
    return JSON.stringify(system.slice(0, 2)) === JSON.stringify(SYSTEM) && /Ada Lovelace/.test(system[2]?.text ?? '')
  },
  'answers stream, with `ping` events': async () => {
    const response = await post('/v1/messages', { model: 'claude/claude-x', ...MESSAGE, stream: true })
    return /event: message_start[\s\S]*event: ping[\s\S]*event: message_stop/.test(await response.text())
  },
  'the wording of errors of the provider': async () => {
    const message = 'messages.0.content: thinking signature is invalid'
    anthropic.handle = (_, response) =>
      sendJson(response, { type: 'error', error: { type: 'invalid_request_error', message } }, 400)
    return failsWith(post('/v1/messages', { model: 'claude/claude-x', ...MESSAGE }), message)
  },
  '`/v1/messages/count_tokens`': async () => {
    anthropic.handle = (_, response) => sendJson(response, { input_tokens: 7 })
    const counted = await post('/v1/messages/count_tokens', { model: 'claude/claude-x', messages: MESSAGE.messages })
    const estimated = await post('/v1/messages/count_tokens', { model: 'm', messages: MESSAGE.messages })
    const { input_tokens } = (await estimated.json()) as { input_tokens: number }
    return JSON.stringify(await counted.json()) === '{"input_tokens":7}' && input_tokens > 0
  },
  '`x-claude-code-session-id` as the session': async () => {
    await gateway.user('ada').runtime.startSession('of claude code', { policy: 'pin' })
    await gateway.user('ada').runtime.configure({ parameters: { temperature: 0.1 } })
    await post(
      '/v1/messages',
      { model: 'claude/claude-x', ...MESSAGE },
      { 'x-claude-code-session-id': 'of claude code' },
    )
    const inSession = sent().body.temperature
    await post('/v1/messages', { model: 'claude/claude-x', ...MESSAGE })
    const outside = sent().body.temperature
    await gateway.user('ada').runtime.configure({ parameters: null })
    return inSession === undefined && outside === 0.1
  },
  '`GET /v1/models?limit=1000` with `id` and `display_name`, without a redirect': async () => {
    const headers = { authorization: `Bearer ${gateway.key}`, 'x-purser-user': 'ada' }
    const response = await fetch(`${gateway.url}/v1/models?limit=1000`, { headers, redirect: 'error' })
    const { data } = (await response.json()) as { data: { id: string; display_name: string }[] }
    return data.some(({ id, display_name }) => id.includes('claude') && display_name !== '')
  },
  'other kinds of providers: translated, with `ping` events': async () => {
    answer = { reasoning_content: 'Hm.', content: 'Hello' }
    const body = { model: 'm', ...MESSAGE, system: SYSTEM, thinking: { type: 'adaptive' }, stream: true }
    const text = await (await post('/v1/messages', body)).text()
    return /event: ping[\s\S]*thinking_delta[\s\S]*event: message_stop/.test(text)
  },
  '`HEAD /api/hello` is refused without harm': async () => {
    const { status } = await fetch(`${gateway.url}/api/hello`, { method: 'HEAD' })
    return status >= 400 && status < 500
  },
}

/** What is wrong with the answer to a case; nothing if it passes. */
async function runCase(one: OpenResponsesCase): Promise<string[]> {
  answer = one.answer ?? { content: 'Hello there' }
  const response = await post('/v1/responses', { model: 'm', ...one.request, stream: one.streams === true })
  if (!response.ok) return [`status ${response.status}`]
  if (one.streams === undefined) return problemsOfResponse((await response.json()) as Fields, one)
  const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(
    ([, data = '']) => JSON.parse(data) as Fields,
  )
  const last = (events.at(-1)?.response ?? {}) as Fields
  return [...problemsOfEvents(events, one), ...problemsOfResponse(last, one)]
}

/** What is beside the cases of the command: `POST` to these answers what the specification says. */
const FURTHER: Readonly<Record<string, () => Promise<boolean>>> = {
  '`previous_response_id`, with `server.keepResponses`': async () => {
    const first = (await (await post('/v1/responses', { model: 'm', input: 'One' })).json()) as { id: string }
    return (await post('/v1/responses', { model: 'm', input: 'Two', previous_response_id: first.id })).ok
  },
  '`POST /v1/responses/compact`': async () => (await post('/v1/responses/compact', { model: 'm', input: 'One' })).ok,
  'responses over WebSocket': async () => {
    const headers = { authorization: `Bearer ${gateway.key}`, connection: 'upgrade', upgrade: 'websocket' }
    const { statusCode } = await gateway.fastify.inject({ method: 'GET', url: '/v1/responses', headers })
    return statusCode === 101
  },
}

type Row = readonly [name: string, passes: boolean]

function table(title: string, rows: readonly Row[]): string {
  const lines = rows.map(([name, passes]) => `| ${name} | ${passes ? 'passed' : 'failed'} |`)
  return `| ${title} | |\n|---|---|\n${lines.join('\n')}\n`
}

async function run(checks: Readonly<Record<string, () => Promise<boolean>>>): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, check] of Object.entries(checks)) {
    anthropic.handle = answerMessage
    rows.push([name, await check()])
  }
  return rows
}

test('the page of compliance has the tables of this version', async () => {
  const cases: Row[] = []
  const problems: string[] = []
  for (const one of CASES) {
    const found = await runCase(one)
    problems.push(...found.map((problem) => `${one.name}: ${problem}`))
    cases.push([one.name, found.length === 0])
  }
  assert.deepEqual(problems, [])
  const page = `# Compliance

Made and compared by a test, from answers of this version. What fails is not offered.

## Open Responses

The cases of the compliance command of [Open Responses](https://www.openresponses.org), version 2026-04-24, on a provider that has only
chat completions, so that every answer is translated. Reasoning and refusals are cases of ours.

${table('case', [...cases, ...(await run(FURTHER))])}
## Claude Code

What its [gateway protocol](https://code.claude.com/docs/en/llm-gateway-protocol) asks of a gateway in Anthropic's format. The header
\`anthropic-workspace-id\` does not pass: it belongs to the key, and is set in the \`headers\` of the provider.

${table('requirement', await run(CLAUDE_CODE))}`
  if (process.env.PURSER_WRITE_TABLES === '1') writeFileSync(PAGE, page)
  assert.equal(page, readFileSync(PAGE, 'utf8'))
})
