// The AI SDK with Purser in one process: a model on the user's settings, a middleware around a model of your own, and the tools
// of the user's MCP servers.
import { generateText, streamText, wrapLanguageModel } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { openPurser, PurserError } from 'purser'
import { purserMiddleware, purserModel, purserTools } from 'purser/ai-sdk'

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
  ledger: { dailyCap: 2 },
  // The server of tools is a child process for each user, with the user's id in its environment.
  mcpServers: { everything: { command: 'mcp-server-everything', args: ['stdio'], env: { OWNER: '{user}' } } },
})
const ada = purser.user('ada')
await ada.profile.put({ name: 'Ada' })

// 1. The user's settings choose provider, model and key. Admission and context are included.
const { textStream } = streamText({ model: purserModel(ada), prompt: 'What is my name?' })
for await (const part of textStream) process.stdout.write(part)
process.stdout.write('\n')

// 2. A model of your own: here one that answers with its instructions.
const own = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => ({
    content: [{ type: 'text', text: String(prompt[0]?.content) }],
    finishReason: { unified: 'stop', raw: 'stop' },
    usage: {
      inputTokens: { total: 20, noCache: 20, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 5, text: 5, reasoning: 0 },
    },
    warnings: [],
  }),
})
const model = wrapLanguageModel({ model: own, middleware: purserMiddleware(ada) })
const { text } = await generateText({ model, instructions: 'You are a patient teacher.', prompt: 'Hello' })
console.log(text)

// 3. A refusal is an error that is never retried.
const error = await generateText({ model: purserModel(ada), prompt: 'One more?' }).catch((reason: unknown) => reason)
if (PurserError.is(error, 'cap_reached')) console.log(`refused until ${error.details?.resetAt}`)

// 4. Tools, called with the user's own connection.
const tools = await purserTools(ada, { servers: ['everything'] })
const sum = await tools['get-sum']?.execute({ a: 2, b: 3 }, {})
console.log(JSON.stringify(tools['get-sum']?.toModelOutput({ output: sum }).value))
