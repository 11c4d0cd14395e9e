// The library in one file: a daily cap, a user's profile and actions as context for the prompt, and turns until the cap is reached.
import { openPurser } from 'purser'

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo', model: 'demo' } },
  ledger: { dailyCap: 2 },
})

const ada = purser.user('ada')
await ada.profile.put({ name: 'Ada', preferred_language: 'English' })
await ada.actions.record({ action: 'Opened the lesson on fractions' })

const context = await ada.context.resolve({ mode: 'create' })
console.log(context.text)

for (const question of ['What did I do last?', 'And before that?', 'One more?']) {
  const turn = await ada.turn({ messages: [{ role: 'user', content: question }] })
  if (!turn.allowed) {
    console.log(`refused: ${turn.admission.reason}, resets at ${turn.admission.resetAt}`)
    break
  }
  const completion = await turn.completion()
  console.log(completion.choices[0]?.message.content, `(${turn.admission.remaining} left)`)
}
