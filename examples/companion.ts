// A companion with limits and a review of risk. The application has a detector of its own; Purser keeps what it found, limits the
// use, and leaves the decision to an operator. Labels are signals of the application, never diagnoses, and reach no prompt.
import { openPurser } from 'purser'

await using purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
  ledger: {
    phases: ['dormant', 'curious', 'attached'],
    riskLevels: ['low', 'elevated', 'high'],
    dailyCap: 20,
    limits: [{ name: 'hour', measure: 'turns', max: 4, window: 'sliding:1h', alertAt: [0.75] }],
  },
})

/** Stands for the detector of the application. */
function detect(message: string): { phase: string; riskLevel: string; confidence: number } {
  if (/only you|alone/.test(message)) return { phase: 'attached', riskLevel: 'high', confidence: 0.8 }
  return { phase: 'curious', riskLevel: 'low', confidence: 0.6 }
}

async function answer(id: string, message: string): Promise<string> {
  const user = purser.user(id)
  const turn = await user.turn({ messages: [{ role: 'user', content: message }] })
  if (!turn.allowed) {
    // A refusal says which limit and until when, so that the application can suggest a break.
    const { reason, resetAt, limit = { name: reason, resetAt } } = turn.admission
    await user.ledger.record('companion:break_suggested', { detail: `${limit.name}, until ${limit.resetAt}` })
    return `Let us go on later (${limit.name}).`
  }
  await user.ledger.observe({ ...detect(message), source: { name: 'detector', version: '1' } })
  return (await turn.completion()).choices[0]?.message.content?.split('\n')[0] ?? ''
}

for (const message of ['Hello', 'Tell me a story', 'I am alone', 'I have only you', 'Are you there?'])
  console.log(await answer('ada', message))
console.log(await answer('bela', 'Good morning'))

// The review: an operator looks at users at the highest level, reads why, and acts with a reason.
const { users } = await purser.users({ riskLevel: 'high' })
for (const { user: id, phase, riskLevel } of users) {
  const { ledger } = purser.user(id)
  const [change] = await ledger.events({ types: ['risk_change'], limit: 1 })
  console.log(`${id}: ${phase}, ${riskLevel} (${change?.detail})`)
  await ledger.addNote('Called: lonely after a move, has family nearby.', { actor: 'grace' })
  await ledger.setLimit('hour', 2, { actor: 'grace', reason: 'agreed with the person' })
  await ledger.correct({ riskLevel: 'elevated' }, { actor: 'grace', reason: 'after the call' })
}
for (const event of await purser.user('ada').ledger.events({ limit: 20 }))
  console.log(event.type, event.actor, event.detail)
