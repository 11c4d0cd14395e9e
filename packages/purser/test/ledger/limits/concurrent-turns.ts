/*
 * One of several processes that admit and settle turns of the same user on one SQLite file at the same time.
 * argv: path, turns, seed. Reads a user id from stdin, runs the turns, and prints how many were admitted and what they used
 * beyond their estimates; again until it reads `end`.
 */
import { once } from 'node:events'
import { systemEffects } from '../../../src/core/effects.ts'
import { openLedgerHarness } from '../../support/ledger-harness.ts'
import { costOf, createRandom, LIMITED, type Tokens } from './limited-turns.ts'

const [path = '', count = '0', seed = '1'] = process.argv.slice(2)
await using harness = await openLedgerHarness({ ...LIMITED, driver: 'sqlite', path, effects: systemEffects })
const random = createRandom(Number(seed))
process.stdin.resume()
for (;;) {
  process.stdout.write('ready\n')
  const [line] = (await once(process.stdin, 'data')) as [Buffer]
  const user = line.toString().trim()
  if (user === 'end') break
  const ledger = harness.user(user)
  const totals = { allowed: 0, tokens: 0, excess: 0, cost: 0, costExcess: 0 }
  await Promise.all(
    Array.from({ length: Number(count) }, async (_, index) => {
      for (let turn = 0; turn < index % 8; turn++) await new Promise((resolve) => setImmediate(resolve))
      const estimate = { inputTokens: random(200), outputTokens: random(200) }
      const usage = { inputTokens: random(300), outputTokens: random(300) }
      const admission = await ledger.admit({ model: 'openai/gpt-6', estimate })
      if (!admission.allowed) return
      totals.allowed++
      totals.tokens += tokensOf(usage)
      totals.excess += Math.max(0, tokensOf(usage) - tokensOf(estimate))
      totals.cost += costOf(usage)
      totals.costExcess += Math.max(0, costOf(usage) - costOf(estimate))
      for (let turn = 0; turn < random(8); turn++) await new Promise((resolve) => setImmediate(resolve))
      await ledger.settle(admission.ticket, usage)
    }),
  )
  process.stdout.write(`${JSON.stringify(totals)}\n`)
}
process.stdin.pause()

function tokensOf({ inputTokens, outputTokens }: Tokens): number {
  return inputTokens + outputTokens
}
