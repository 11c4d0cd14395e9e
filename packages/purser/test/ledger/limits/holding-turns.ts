/*
 * A process that admits and settles turns of one user until it is refused or killed. argv: store, user, seed, and after how
 * many settlements it settles no more and waits to be killed. Prints what it has settled so far after each settlement, and
 * `"holding"` when all turns that are admitted are held.
 */
import { openHeldPurser, type SettledTurns, TURNS_IN_PROGRESS } from './held-turns.ts'
import { createRandom } from './limited-turns.ts'

const [store = '', user = '', seed = '1', holdAfter = 'Infinity'] = process.argv.slice(2)
const { purser } = await openHeldPurser(store)
const { ledger } = purser.user(user)
const random = createRandom(Number(seed))
const settled = { turns: 0, tokens: 0, excess: 0 } satisfies SettledTurns

async function waitForTicks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick++) await new Promise((resolve) => setImmediate(resolve))
}

let ended = 0

function endRun(): void {
  if (++ended === TURNS_IN_PROGRESS) process.stdout.write('"holding"\n')
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
    if (settled.turns >= Number(holdAfter)) {
      endRun()
      await new Promise(() => undefined)
    }
    await ledger.settle(admission.ticket, { outputTokens: tokens })
    settled.turns++
    settled.tokens += tokens
    settled.excess += Math.max(0, tokens - estimate.inputTokens - estimate.outputTokens)
    process.stdout.write(`${JSON.stringify(settled)}\n`)
  }
  endRun()
}

process.stdout.write(`${JSON.stringify(settled)}\n`)
// A promise alone does not keep a process alive.
const timer = setInterval(() => undefined, 1_000)
await Promise.all(Array.from({ length: TURNS_IN_PROGRESS }, run))
clearInterval(timer)
await purser.close()
