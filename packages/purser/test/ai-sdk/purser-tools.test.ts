import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { generateText, stepCountIs, type ToolSet } from 'ai'
import { type AiSdkUser, purserTools } from '../../src/ai-sdk/index.ts'
import { createLanguageModel } from '../../src/ai-sdk/language-model.ts'
import { PurserError } from '../../src/errors.ts'
import type { ChatModel } from '../../src/openai/chat-model.ts'

interface FakeTool {
  readonly name: string
  readonly inputSchema: Record<string, unknown>
}

/** A user whose MCP servers offer these tools; records the calls and the number of open leases. */
function createUser(
  servers: Readonly<Record<string, readonly FakeTool[]>>,
  answer: unknown = { content: [{ type: 'text', text: 'sunny' }] },
) {
  const calls: unknown[] = []
  const state = { leases: 0 }
  const client = (server: string) => ({
    listTools: async () => ({ tools: servers[server] }),
    callTool: async (call: unknown) => {
      calls.push([server, call])
      return answer
    },
  })
  const runtime = {
    async acquire() {
      state.leases += 1
      return {
        settings: { mcpServers: [] },
        mcpServers: Object.keys(servers),
        mcp: async (name: string) => client(name) as unknown as Client,
        release: () => {
          state.leases -= 1
        },
      }
    },
  }
  return { user: { runtime } as unknown as AiSdkUser, calls, state }
}

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

/** Calls its first tool, then repeats the result of the tool. */
const toolCallingModel: ChatModel = {
  provider: 'p',
  model: 'm',
  async chat({ messages, tools }) {
    const last = messages.at(-1)
    const [tool] = tools as { function: { name: string; parameters: unknown } }[]
    const call = { id: 'a', type: 'function', function: { name: tool?.function.name, arguments: '{"city":"Pune"}' } }
    const message =
      last?.role === 'tool'
        ? { role: 'assistant', content: `${last.content} ${JSON.stringify(tool?.function.parameters)}` }
        : { role: 'assistant', content: null, tool_calls: [call] }
    const choices = [{ index: 0, message, finish_reason: last?.role === 'tool' ? 'stop' : 'tool_calls' }]
    return {
      kind: 'completion',
      text: JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices }),
    }
  },
}

test("the AI SDK calls the tools of the user's servers with the JSON schema of the server", async () => {
  const { user, calls, state } = createUser({ weather: [{ name: 'forecast', inputSchema: schema }] })
  const tools: ToolSet = await purserTools(user)
  assert.equal(state.leases, 0)
  const { text } = await generateText({
    model: createLanguageModel(toolCallingModel),
    tools,
    stopWhen: stepCountIs(3),
    prompt: 'Weather?',
  })
  assert.match(text, /^sunny .*"required":\["city"\]/)
  assert.deepEqual(calls, [['weather', { name: 'forecast', arguments: { city: 'Pune' } }]])
  assert.equal(state.leases, 0, 'every lease is released')
})

test('a name that two servers offer is prefixed with the server, other names stay', async () => {
  const tool = (name: string): FakeTool => ({ name, inputSchema: schema })
  const { user, calls } = createUser({ a: [tool('find'), tool('only-a')], b: [tool('find')] })
  const tools = await purserTools(user)
  assert.deepEqual(Object.keys(tools).sort(), ['a_find', 'b_find', 'only-a'])
  await tools.b_find?.execute({ city: 'x' }, {})
  assert.deepEqual(calls, [['b', { name: 'find', arguments: { city: 'x' } }]])
  assert.deepEqual(Object.keys(await purserTools(user, { servers: ['a'] })), ['find', 'only-a'])
})

test('names that model APIs do not accept are changed, stay distinct, and are mapped back for the server', async () => {
  const names = [
    'files.read',
    'files/read',
    'files_read',
    'é-2',
    '2d',
    '-x',
    'a'.repeat(100),
    `${'a'.repeat(100)}b`,
    '模型',
    '',
  ]
  const tool = (name: string): FakeTool => ({ name, inputSchema: schema })
  const { user, calls } = createUser({ 'one.server': names.map(tool), two: names.map(tool) })
  const tools = await purserTools(user)
  const offered = Object.keys(tools)
  assert.equal(offered.length, names.length * 2)
  for (const name of offered) assert.match(name, /^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$/)
  for (const offer of Object.values(tools)) await offer.execute({}, {})
  const called = calls.map((call) => (call as [string, { name: string }])[1].name)
  assert.deepEqual(called.toSorted(), [...names, ...names].toSorted())
  const single = createUser({ a: [tool('find'), tool('get-sum'), tool('x'.repeat(64))] })
  assert.deepEqual(Object.keys(await purserTools(single.user)), ['find', 'get-sum', 'x'.repeat(64)])
})

test('an error of the client package is mcp_unavailable, an abort is the reason of the signal', async () => {
  const raw = Object.assign(new Error('Connection closed'), { code: 'CONNECTION_CLOSED' })
  const own = new PurserError('mcp_unavailable', 'No.', { details: { reason: 'token_refused' } })
  for (const failure of [raw, own]) {
    const { user } = createUser({ a: [{ name: 'find', inputSchema: schema }] })
    const { find } = await purserTools(user)
    const failing = {
      ...user,
      runtime: {
        acquire: async () => ({
          mcpServers: ['a'],
          mcp: async () => ({ listTools: () => Promise.reject(failure), callTool: () => Promise.reject(failure) }),
          release: () => undefined,
        }),
      },
    } as unknown as AiSdkUser
    assert.ok(find !== undefined)
    const listing = await purserTools(failing).catch((error: unknown) => error)
    assert.ok(PurserError.is(listing, 'mcp_unavailable'))
    assert.equal(failure === own ? listing : listing.cause, failure)
    const reason = new Error('left')
    await assert.rejects(purserTools(failing, { signal: AbortSignal.abort(reason) }), reason)
  }
})

test('the model output of a result has text, images and errors as such, and JSON for other content', async () => {
  const { user } = createUser({ a: [{ name: 'find', inputSchema: schema }] })
  const { find } = await purserTools(user)
  const content = [
    { type: 'text', text: 'hi' },
    { type: 'image', data: 'AAAA', mimeType: 'image/png' },
    { type: 'resource_link', uri: 'x:y' },
  ]
  assert.deepEqual(find?.toModelOutput({ output: { content } }), {
    type: 'content',
    value: [
      { type: 'text', text: 'hi' },
      { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AAAA' } },
      { type: 'text', text: '{"type":"resource_link","uri":"x:y"}' },
    ],
  })
  const failed = { isError: true, content: [{ type: 'text', text: 'no such city' }] }
  assert.deepEqual(find?.toModelOutput({ output: failed }), { type: 'error-text', value: 'no such city' })
})
