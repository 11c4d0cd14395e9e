// An agent with MCP servers of each user: every user has a connection and a token of their own, and no user sees another's.
// The model is scripted, so that the example runs without a key; with a real provider only `providers` changes.
import { generateText, isStepCount } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { openPurser } from 'purser'
import { purserModel, purserTools } from 'purser/ai-sdk'

const usage = {
  inputTokens: { total: 20, noCache: 20, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
}

/** Asks for the tool `get-env` first, and then answers with what the tool has returned. */
const scripted = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const last = prompt.at(-1)
    if (last?.role !== 'tool') {
      const call = { type: 'tool-call', toolCallId: 'call-1', toolName: 'get-env', input: '{}' } as const
      return { content: [call], finishReason: { unified: 'tool-calls', raw: 'tool_calls' }, usage, warnings: [] }
    }
    const [, owner, token] = /OWNER[^:]*:[^\w]*(\w+)[\s\S]*TOKEN[^:]*:[^\w]*([\w-]+)/.exec(JSON.stringify(last)) ?? []
    const text = `The server runs for ${owner} with ${token}.`
    return { content: [{ type: 'text', text }], finishReason: { unified: 'stop', raw: 'stop' }, usage, warnings: [] }
  },
})

await using purser = await openPurser({
  store: 'memory:',
  providers: { scripted: () => ({ languageModel: () => scripted }) },
  runtime: { defaults: { provider: 'scripted', model: 'scripted' } },
  mcpServers: {
    everything: {
      command: 'mcp-server-everything',
      args: ['stdio'],
      env: { OWNER: '{user}', TOKEN: '{secret.token}' }, // filled in for each user
    },
  },
  ledger: { limits: [{ name: 'tools', measure: 'toolCalls', max: 100, window: 'day' }] },
})

for (const id of ['ada', 'bela']) {
  const user = purser.user(id)
  await user.runtime.setSecret('everything', { token: `token-of-${id}` })
  const { text, steps } = await generateText({
    model: purserModel(user),
    tools: await purserTools(user),
    stopWhen: isStepCount(5),
    prompt: 'Whose server do you use?',
  })
  const [tools] = (await user.ledger.limits()).filter(({ name }) => name === 'tools')
  console.log(
    `${id}: ${text} (${steps.length} steps, ${tools?.used} tool call, ${(await user.ledger.quota()).count} turn)`,
  )
}
