import { randomInt } from 'node:crypto'
import type { AppContext } from '../app/context.ts'
import {
  DEMO_ACTIONS,
  DEMO_ARCHETYPES,
  DEMO_NODES,
  DEMO_NOTES,
  DEMO_PHASES,
  DEMO_QUESTIONS,
  DEMO_RISKS,
  demoIds,
} from './demo-data.ts'

const PAUSE_MS = 250
const AT_ONCE = 20

/** Peoples a server: everybody once, then somebody does something a few times a second. Answers how to stop it. */
export async function livelyCrowd(house: AppContext, count: number): Promise<() => Promise<void>> {
  const ids = demoIds(count)
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    await Promise.all(ids.slice(start, start + AT_ONCE).map((id) => introduce(house, id)))
  }
  let stopped = false
  let cancel = (): void => {}
  let busy: Promise<void> = Promise.resolve()
  const step = (): void => {
    // Whatever a made-up person runs into is theirs alone: the next one has a turn.
    busy = live(house, oneOf(ids)).catch(() => undefined)
    void busy.then(() => {
      if (!stopped) cancel = house.effects.setTimer(step, PAUSE_MS, { background: true })
    })
  }
  step()
  return async () => {
    stopped = true
    cancel()
    await busy
  }
}

async function introduce(house: AppContext, id: string): Promise<void> {
  const user = house.purser.user(id)
  const name = id.split('@')[0] ?? id
  await user.profile.put({ name: name[0]?.toUpperCase() + name.slice(1), preferred_language: 'English' })
  await user.actions.record({ action: oneOf(DEMO_ACTIONS) })
  await user.ledger.observe(
    { phase: oneOf(DEMO_PHASES), riskLevel: riskOf(), archetype: oneOf(DEMO_ARCHETYPES), confidence: 0.8 },
    { peaks: peaks() },
  )
  for (let said = randomInt(6); said > 0; said--) await user.ledger.admit()
}

async function live(house: AppContext, id: string): Promise<void> {
  const user = house.purser.user(id)
  const chance = randomInt(100)
  if (chance < 60) {
    const turn = await user.turn({ messages: [{ role: 'user', content: oneOf(DEMO_QUESTIONS) }] })
    if (turn.allowed) await turn.completion()
  } else if (chance < 80) await user.ledger.observe({ phase: oneOf(DEMO_PHASES), turnCount: randomInt(400) })
  else if (chance < 90) await user.ledger.observe({ riskLevel: riskOf(), confidence: 0.7 }, { peaks: peaks() })
  else if (chance < 97) await user.actions.record({ action: oneOf(DEMO_ACTIONS) })
  else await user.ledger.addNote(oneOf(DEMO_NOTES), { actor: 'demo operator' })
}

/** Most people are well: the lower of two draws. */
function riskOf(): string {
  return DEMO_RISKS[Math.min(randomInt(DEMO_RISKS.length), randomInt(DEMO_RISKS.length))] ?? 'low'
}

function peaks(): Record<string, number> {
  return { [oneOf(DEMO_NODES)]: randomInt(1_000) / 1_000 }
}

function oneOf(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? ''
}
