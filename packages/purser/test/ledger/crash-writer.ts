/*
 * A process that writes one user's log without pause until it is killed, and prints what was acknowledged.
 * argv: path, user. One line per acknowledged event: its sequence and id; `admitted` for an admission.
 */
import { systemEffects } from '../../src/core/effects.ts'
import { openLedgerHarness } from '../support/ledger-harness.ts'

const [path = '', id = ''] = process.argv.slice(2)
const by = { actor: 'ana', reason: 'test' }
const harness = await openLedgerHarness({ driver: 'sqlite', path, keepEvents: 40, effects: systemEffects })
const user = harness.user(id)

async function write(writer: number): Promise<void> {
  for (let round = 0; ; round++) {
    const admission = await user.admit()
    if (admission.allowed) process.stdout.write('admitted\n')
    const { events } = await user.observe({ phase: `phase-${writer}-${round}`, riskLevel: round % 2 ? 'high' : 'low' })
    for (const { sequence, id: event } of events) process.stdout.write(`${sequence} ${event}\n`)
    await user.addNote(`note ${writer} ${round}`, by)
    if (admission.allowed) await user.settle(admission.ticket, { inputTokens: 1 })
  }
}

process.stdout.write('begin\n')
await Promise.all([write(1), write(2), write(3)])
