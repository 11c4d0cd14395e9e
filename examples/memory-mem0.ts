// mem0 as a source: memories that fit what the user wrote last, within half a second, and never a failed chat without them.
// Run with MEM0_URL (https://api.mem0.ai) and MEM0_API_KEY in the environment.
import { openPurser } from 'purser'

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo', model: 'demo' } },
  context: {
    budgetMs: 10_000, // the default, 1,500 ms, is for services that are nearer
    sections: {
      memories: {
        needs: 'query',
        source: {
          url: '${MEM0_URL}/v2/memories/search/',
          body: { query: '{query}', filters: { user_id: '{user}' }, top_k: 5 },
          headers: { authorization: 'Token ${MEM0_API_KEY}' },
          select: 'results',
        },
        render: '- {memory}',
        maxTokens: 300,
      },
    },
  },
})

const turn = await purser.user('ada').turn({ messages: [{ role: 'user', content: 'What should I eat?' }] })
if (turn.allowed) console.log((await turn.completion()).choices[0]?.message.content)
