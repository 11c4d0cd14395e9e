import { randomInt } from 'node:crypto'
import type { User } from 'purser'
import type { AppContext } from '../app/context.ts'
import {
  createDemoIds,
  DEMO_ACTIONS,
  DEMO_ARCHETYPES,
  DEMO_NODES,
  DEMO_NOTES,
  DEMO_PHASES,
  DEMO_QUESTIONS,
  DEMO_RISKS,
} from './demo-data.ts'

const PAUSE_MS = 250
const BATCH_SIZE = 20

/** Creates `count` users, then lets a random one act every 250 ms. Returns the function that stops the traffic. */
export async function startDemoTraffic({ purser, effects }: AppContext, count: number): Promise<() => Promise<void>> {
  const ids = createDemoIds(count)
  for (let start = 0; start < ids.length; start += BATCH_SIZE) {
    await Promise.all(ids.slice(start, start + BATCH_SIZE).map((id) => createDemoUser(purser.user(id))))
  }
  let isStopped = false
  let cancelTimer = (): void => {}
  let running: Promise<void> = Promise.resolve()
  const step = (): void => {
    // A failed action, for example at the daily cap, must not stop the traffic.
    running = actRandomly(purser.user(pick(ids))).catch(() => undefined)
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

async function createDemoUser(user: User): Promise<void> {
  const name = user.id.split('@')[0] ?? user.id
  await user.profile.put({ name: name[0]?.toUpperCase() + name.slice(1), preferred_language: 'English' })
  await user.actions.record({ action: pick(DEMO_ACTIONS) })
  await user.ledger.observe(
    { phase: pick(DEMO_PHASES), riskLevel: pickRisk(), archetype: pick(DEMO_ARCHETYPES), confidence: 0.8 },
    { peaks: createPeaks() },
  )
  for (let turns = randomInt(6); turns > 0; turns--) await user.ledger.admit()
}

async function actRandomly(user: User): Promise<void> {
  const percent = randomInt(100)
  if (percent < 60) {
    const turn = await user.turn({ messages: [{ role: 'user', content: pick(DEMO_QUESTIONS) }] })
    if (turn.allowed) await turn.completion()
  } else if (percent < 80) await user.ledger.observe({ phase: pick(DEMO_PHASES), turnCount: randomInt(400) })
  else if (percent < 90) await user.ledger.observe({ riskLevel: pickRisk(), confidence: 0.7 }, { peaks: createPeaks() })
  else if (percent < 97) await user.actions.record({ action: pick(DEMO_ACTIONS) })
  else await user.ledger.addNote(pick(DEMO_NOTES), { actor: 'demo operator' })
}

/** The lower of two draws, so that most users have a low risk. */
function pickRisk(): string {
  return DEMO_RISKS[Math.min(randomInt(DEMO_RISKS.length), randomInt(DEMO_RISKS.length))] ?? 'low'
}

function createPeaks(): Record<string, number> {
  return { [pick(DEMO_NODES)]: randomInt(1_000) / 1_000 }
}

function pick(values: readonly string[]): string {
  return values[randomInt(values.length)] ?? ''
}
