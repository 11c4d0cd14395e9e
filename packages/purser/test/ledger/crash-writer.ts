/*
 * A process that writes one user's log without pause until it is killed, and says what was acknowledged.
 * argv: path, user. Prints one line for each acknowledged event: its sequence and id; `admitted` for admissions.
 */
import { systemEffects } from '../../src/core/effects.ts'
import { openHouse } from '../support/ledger-harness.ts'

const [path = '', id = ''] = process.argv.slice(2)
const by = { actor: 'ana', reason: 'test' }
const house = await openHouse({ driver: 'sqlite', path, keepEvents: 40, effects: systemEffects })
const user = house.of(id)

async function write(lane: number): Promise<void> {
  for (let round = 0; ; round++) {
    const admission = await user.admit()
    if (admission.allowed) process.stdout.write('admitted\n')
    const { events } = await user.observe({ phase: `phase-${lane}-${round}`, riskLevel: round % 2 ? 'high' : 'low' })
    for (const { sequence, id: event } of events) process.stdout.write(`${sequence} ${event}\n`)
    await user.addNote(`note ${lane} ${round}`, by)
    if (admission.allowed) await user.settle(admission.ticket, { inputTokens: 1 })
  }
}

process.stdout.write('begin\n')
await Promise.all([write(1), write(2), write(3)])
