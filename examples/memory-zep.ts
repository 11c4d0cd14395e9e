// Zep as a source: facts of the user's graph that fit what they wrote last. A first chat without facts is not asked for again
// for ten minutes. Run with ZEP_URL (https://api.getzep.com) and ZEP_API_KEY in the environment.
import { openPurser } from 'purser'

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo', model: 'demo' } },
  context: {
    budgetMs: 10_000, // the default, 1,500 ms, is for services that are nearer
    sections: {
      facts: {
        needs: 'query',
        source: {
          url: '${ZEP_URL}/api/v2/graph/search',
          body: { user_id: '{user}', query: '{query}', scope: 'edges', limit: 10 },
          headers: { authorization: 'Api-Key ${ZEP_API_KEY}' },
          select: 'edges',
        },
        render: '- {fact}',
        emptyTtlMs: 600_000,
      },
    },
  },
})

const turn = await purser.user('ada').turn({ messages: [{ role: 'user', content: 'What should I eat?' }] })
if (turn.allowed) console.log((await turn.completion()).choices[0]?.message.content)
