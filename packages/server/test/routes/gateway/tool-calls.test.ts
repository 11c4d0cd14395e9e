import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGatewayHarness, sendEvents, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

/* Calls of tools in relayed answers are counted, and recorded by name, like those of chat completions. */

const CALL = { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'f', arguments: '{}', status: 'completed' }
const SEARCH = { type: 'web_search_call', id: 'ws_1', status: 'completed' }
const UNDECLARED = { ...CALL, id: 'fc_2', call_id: 'call_2', name: 'a word of ada' }
const RESPONSE = { id: 'resp_1', object: 'response', status: 'completed', output: [CALL, SEARCH, UNDECLARED] }
const TEXT = { type: 'text', text: 'The word tool_use" is no call.' }
const TOOL_USE = { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} }
const MESSAGE = { id: 'msg_1', type: 'message', role: 'assistant', content: [TEXT, TOOL_USE], stop_reason: 'tool_use' }

const upstream = await startFakeProvider(({ path, body }, response) => {
  const isResponse = path === 'responses'
  if (body?.stream !== true) return sendJson(response, isResponse ? RESPONSE : MESSAGE)
  sendEvents(
    response,
    isResponse
      ? [
          { type: 'response.created', response: { ...RESPONSE, status: 'in_progress', output: [] } },
          { type: 'response.output_item.added', output_index: 0, item: { ...CALL, status: 'in_progress' } },
          { type: 'response.output_item.done', output_index: 0, item: CALL },
          { type: 'response.output_item.done', output_index: 1, item: SEARCH },
          { type: 'response.output_item.done', output_index: 2, item: UNDECLARED },
          { type: 'response.completed', response: RESPONSE },
        ]
      : [
          { type: 'message_start', message: { ...MESSAGE, content: [] } },
          { type: 'content_block_start', index: 0, content_block: TEXT },
          { type: 'content_block_start', index: 1, content_block: TOOL_USE },
          { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{}' } },
          { type: 'message_stop' },
        ],
  )
})
const gateway = await openGatewayHarness({
  providers: {
    openai: { kind: 'openai', baseURL: upstream.baseURL, apiKey: 'k' },
    claude: { kind: 'anthropic', baseURL: upstream.baseURL, apiKey: 'k' },
  },
  runtime: { defaults: { provider: 'openai', model: 'r', allowedModels: ['openai/r', 'claude/c'] } },
  ledger: { limits: [{ name: 'tools', measure: 'toolCalls', max: 100, window: 'total' }] },
})

const RESPONSE_TOOLS = [{ type: 'function', name: 'f' }, { type: 'web_search_preview' }]
const MESSAGE_TOOLS = [{ name: 'f', input_schema: { type: 'object' } }]

for (const [path, model, calls, tools, recorded] of [
  ['responses', 'openai/r', 3, RESPONSE_TOOLS, ['f', 'web_search_preview', 'other']],
  ['messages', 'claude/c', 1, MESSAGE_TOOLS, ['f']],
  ['messages', 'claude/c', 1, undefined, ['other']],
] as const) {
  for (const stream of [false, true]) {
    test(`${path}${stream ? ', streamed' : ''}: ${calls} calls of tools are counted: ${recorded.join(', ')}`, async () => {
      const user = `${path} ${stream} ${recorded.length} ${recorded[0]}`
      const messages = [{ role: 'user', content: 'Hi' }]
      const body = { model, stream, tools, ...(path === 'messages' ? { messages, max_tokens: 9 } : { input: 'Hi' }) }
      const response = await gateway.fetch(`/v1/${path}`, body, { 'x-purser-user': user })
      const text = await response.text()
      assert.equal(response.status, 200, text)
      const limits = await gateway.user(user).ledger.limits()
      assert.equal(limits.find(({ name }) => name === 'tools')?.used, calls)
      const [record] = await gateway.user(user).turns()
      assert.deepEqual(
        record?.tools,
        recorded.map((name) => ({ name, calls: 1 })),
      )
    })
  }
}
