/*
 * A process that admits and settles turns of one user until it is refused or killed. argv: store, user, seed. Prints what it
 * has settled so far after each settlement.
 */
import { openHeldPurser, type SettledTurns, TURNS_IN_PROGRESS } from './held-turns.ts'
import { createRandom } from './limited-turns.ts'

const [store = '', user = '', seed = '1'] = process.argv.slice(2)
const { purser } = await openHeldPurser(store)
const { ledger } = purser.user(user)
const random = createRandom(Number(seed))
const settled = { turns: 0, tokens: 0, excess: 0 } satisfies SettledTurns

async function waitForTicks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick++) await new Promise((resolve) => setImmediate(resolve))
}

async function run(): Promise<void> {
  for (let refusals = 0; refusals < 5; ) {
    const estimate = { inputTokens: random(100), outputTokens: random(100) }
    const tokens = random(300)
    const admission = await ledger.admit({ estimate })
    await waitForTicks(1 + random(20))
    if (!admission.allowed) {
      refusals++
      continue
    }
    await ledger.settle(admission.ticket, { outputTokens: tokens })
    settled.turns++
    settled.tokens += tokens
    settled.excess += Math.max(0, tokens - estimate.inputTokens - estimate.outputTokens)
    process.stdout.write(`${JSON.stringify(settled)}\n`)
  }
}

process.stdout.write(`${JSON.stringify(settled)}\n`)
await Promise.all(Array.from({ length: TURNS_IN_PROGRESS }, run))
await purser.close()
