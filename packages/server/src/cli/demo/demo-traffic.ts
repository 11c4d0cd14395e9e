import { randomInt } from 'node:crypto'
import type { User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { DEMO_ACTIONS, DEMO_NOTES, DEMO_OPERATORS, DEMO_PHASES, DEMO_QUESTIONS, DEMO_RISKS } from './demo-data.ts'
import type { DemoPerson } from './demo-person.ts'
import { ask } from './plan-past.ts'

const PAUSE_MS = 400
/** Of a limit. */
const MOST = 0.6
/** One of so many users goes on near a limit. */
const MOSTLY_WAITS = 60

/** Lets a random user act every 400 ms. Returns the function that stops the traffic. */
export function startDemoTraffic({ purser, effects }: AppContext, people: readonly DemoPerson[]): () => Promise<void> {
  const present = people.filter(({ lastDay }) => lastDay === 0)
  let isStopped = false
  let cancelTimer = (): void => {}
  let running: Promise<void> = Promise.resolve()
  const step = (): void => {
    const person = present[randomInt(present.length)]
    // A failed action, for example at the daily cap, must not stop the traffic.
    running = person === undefined ? Promise.resolve() : actRandomly(purser.user(person.id)).catch(() => undefined)
    void running.then(() => {
      if (!isStopped) cancelTimer = effects.setTimer(step, PAUSE_MS, { background: true })
    })
  }
  step()
  return async () => {
    isStopped = true
    cancelTimer()
    await running
  }
}

async function actRandomly(user: User): Promise<void> {
  const percent = randomInt(100)
  if (percent < 75) await askWithinLimits(user)
  else if (percent < 82) await user.actions.record({ action: pick(DEMO_ACTIONS) })
  else if (percent < 90) await movePhase(user)
  else if (percent < 96) await moveRisk(user)
  else await user.ledger.addNote(pick(DEMO_NOTES), { actor: pick(DEMO_OPERATORS) })
}

/** Users rarely go on when they have used most of a limit: else all of them would need attention after an hour. */
async function askWithinLimits(user: User): Promise<void> {
  const limits = await user.ledger.limits()
  const isNear = limits.some(({ used, max }) => max !== null && Number(used) >= MOST * Number(max))
  if (!isNear || randomInt(MOSTLY_WAITS) === 0) await ask(user, pick(DEMO_QUESTIONS), 'live')
}

/** To any phase but the first, which is for users who do not come. */
async function movePhase(user: User): Promise<void> {
  const { phase } = await user.ledger.bond()
  await user.ledger.observe({ phase: neighborOf(DEMO_PHASES.slice(1), phase), confidence: 0.8 })
}

/** Mostly falls. Users with the highest level need attention: the past has some, and they stay. */
async function moveRisk(user: User): Promise<void> {
  const { riskLevel } = await user.ledger.bond()
  const rank = DEMO_RISKS.indexOf(riskLevel)
  if (rank === DEMO_RISKS.length - 1) return
  const next = randomInt(4) === 0 ? Math.min(rank + 1, DEMO_RISKS.length - 2) : Math.max(rank - 1, 0)
  await user.ledger.observe({ riskLevel: DEMO_RISKS[next] ?? riskLevel, confidence: 0.7 })
}

/** The value before or after it, in a declared order. */
function neighborOf(values: readonly string[], value: string): string {
  const index = values.indexOf(value) + (randomInt(2) === 0 ? 1 : -1)
  return values[Math.min(values.length - 1, Math.max(0, index))] ?? value
}

function pick(values: readonly string[]): string {
  return values[randomInt(values.length)] ?? ''
}
