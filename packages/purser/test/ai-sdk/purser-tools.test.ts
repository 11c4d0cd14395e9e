import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { generateText, stepCountIs, type ToolSet } from 'ai'
import { type AiSdkUser, purserTools } from '../../src/ai-sdk/index.ts'
import { languageModelOver } from '../../src/ai-sdk/language-model.ts'
import type { ChatModel } from '../../src/openai/chat-model.ts'

interface Listed {
  readonly name: string
  readonly inputSchema: Record<string, unknown>
}

/** A user whose MCP servers offer these tools; notes what is called and how many leases are out. */
function userWith(
  servers: Readonly<Record<string, readonly Listed[]>>,
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
        settings: { mcpServers: Object.keys(servers) },
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

/** Asks for the first tool it is offered, then repeats what the tool said. */
const askingModel: ChatModel = {
  provider: 'p',
  model: 'm',
  async chat({ messages, tools }) {
    const last = messages.at(-1)
    const [offered] = tools as { function: { name: string; parameters: unknown } }[]
    const call = { id: 'a', type: 'function', function: { name: offered?.function.name, arguments: '{"city":"Pune"}' } }
    const message =
      last?.role === 'tool'
        ? { role: 'assistant', content: `${last.content} ${JSON.stringify(offered?.function.parameters)}` }
        : { role: 'assistant', content: null, tool_calls: [call] }
    const choices = [{ index: 0, message, finish_reason: last?.role === 'tool' ? 'stop' : 'tool_calls' }]
    return {
      kind: 'completion',
      text: JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices }),
    }
  },
}

test("the AI SDK calls the tools of the user's servers with the schema that the server gave", async () => {
  const { user, calls, state } = userWith({ weather: [{ name: 'forecast', inputSchema: schema }] })
  const tools: ToolSet = await purserTools(user)
  assert.equal(state.leases, 0)
  const { text } = await generateText({
    model: languageModelOver(askingModel),
    tools,
    stopWhen: stepCountIs(3),
    prompt: 'Weather?',
  })
  assert.match(text, /^sunny .*"required":\["city"\]/)
  assert.deepEqual(calls, [['weather', { name: 'forecast', arguments: { city: 'Pune' } }]])
  assert.equal(state.leases, 0, 'every lease has gone back')
})

test('names that two servers offer are told apart, others stay as they are', async () => {
  const tool = (name: string): Listed => ({ name, inputSchema: schema })
  const { user, calls } = userWith({ a: [tool('find'), tool('only-a')], b: [tool('find')] })
  const tools = await purserTools(user)
  assert.deepEqual(Object.keys(tools).sort(), ['a_find', 'b_find', 'only-a'])
  await tools.b_find?.execute({ city: 'x' }, {})
  assert.deepEqual(calls, [['b', { name: 'find', arguments: { city: 'x' } }]])
  assert.deepEqual(Object.keys(await purserTools(user, { servers: ['a'] })), ['find', 'only-a'])
})

test('results are shown to the model as what they are: text, images, errors, and JSON for the rest', async () => {
  const { user } = userWith({ a: [{ name: 'find', inputSchema: schema }] })
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
