import type { User } from 'purser'
import { runAudited } from 'purser/internal'
import {
  DEMO_ACTIONS,
  DEMO_BLOCK_REASONS,
  DEMO_CAP_REASONS,
  DEMO_INSTRUCTIONS,
  DEMO_NODES,
  DEMO_NOTES,
  DEMO_OPERATORS,
  DEMO_PHASES,
  DEMO_QUESTIONS,
  DEMO_REFUSED_QUESTION,
  DEMO_RISKS,
  DEMO_SIGNALS,
} from './demo-data.ts'
import type { DemoPerson } from './demo-person.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Something that a user, the application or an operator does at an instant, epoch ms. */
export interface PlannedAct {
  readonly at: number
  readonly user: string
  run(user: User): Promise<unknown>
}

export interface PlanDeps {
  readonly random: SeededRandom
  readonly now: number
  readonly pastDays: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SESSION_TURNS = 4
const MANY_TURNS = 10
/** Users who have not come for so long are dormant again. */
const DORMANT_DAYS = 2
const HIGHEST = DEMO_RISKS.length - 1

/** Everything that one user does and that is done to the user, in no particular order. */
export function planPast({ random, now, pastDays }: PlanDeps, person: DemoPerson): PlannedAct[] {
  const acts: PlannedAct[] = []
  const add = (at: number, run: PlannedAct['run']): void => {
    if (at < now) acts.push({ at, user: person.id, run })
  }
  const state = { phase: 0, risk: 0, turns: 0 }
  const start = now - pastDays * DAY_MS
  for (let day = person.firstDay; day >= person.lastDay; day--) {
    // The last day ends at the present.
    const dayStart = start + (pastDays - 1 - day) * DAY_MS
    const at = (): number => dayStart + Math.floor(random.next() * DAY_MS)
    if (day === person.firstDay) planArrival({ random, person, add, at: dayStart + random.between(0, 20) * MINUTE_MS })
    planTurns({ random, person, add, day, dayStart, state })
    planDetections({ random, person, add, at: at(), state })
    if (random.chance(0.05)) {
      add(
        at(),
        onDeck((user) => user.ledger.addNote(random.pick(DEMO_NOTES), byOperator(random))),
      )
    }
  }
  const leftAt = start + (pastDays - person.lastDay + DORMANT_DAYS) * DAY_MS
  add(leftAt, (user) => user.ledger.observe({ phase: 'dormant', confidence: 0.9 }))
  planHighlight({ random, person, add, now })
  return acts
}

interface PlanPart {
  readonly random: SeededRandom
  readonly person: DemoPerson
  add(at: number, run: PlannedAct['run']): void
}

interface PersonState {
  phase: number
  risk: number
  turns: number
}

function byOperator(random: SeededRandom): { actor: string } {
  return { actor: random.pick(DEMO_OPERATORS) }
}

/** What an operator does on the page for operators, from where it is recorded to come. */
function onDeck(run: PlannedAct['run']): PlannedAct['run'] {
  return (user) =>
    runAudited({ user: user.id, actor: '', reason: undefined, origin: 'deck', request: '' }, () => run(user))
}

function planArrival({ random, person, add, at }: PlanPart & { at: number }): void {
  const { id, plan, timeZone, archetype } = person
  const name = id.split('@')[0] ?? id
  add(at, async (user) => {
    await user.ledger.observe({ phase: 'dormant', riskLevel: 'low', archetype, confidence: 0.6 })
    await user.ledger.setTimeZone(timeZone)
    await user.profile.put({ name: name[0]?.toUpperCase() + name.slice(1), preferred_language: 'English' })
  })
  if (plan !== 'free') {
    add(
      at + random.between(1, 40) * HOUR_MS,
      onDeck((user) => user.ledger.setPlan(plan, { ...byOperator(random), reason: `Subscribed to ${plan}` })),
    )
  }
}

function planTurns(part: PlanPart & { day: number; dayStart: number; state: PersonState }): void {
  const { random, person, add, day, dayStart, state } = part
  const weekend = [0, 6].includes(new Date(dayStart).getUTCDay()) ? 1.5 : 1
  const wanted = Math.round(person.turnsPerDay * weekend * 2 * random.next() + random.next() * 0.5)
  const begin = dayStart + random.between(1, 21) * HOUR_MS
  for (let turn = 0; turn < wanted; turn++) {
    const session = `${new Date(dayStart).toISOString().slice(0, 10)}-${Math.floor(turn / SESSION_TURNS)}`
    add(begin + turn * random.between(1, 9) * MINUTE_MS, (user) => ask(user, random.pick(DEMO_QUESTIONS), session))
  }
  state.turns += wanted
  if (wanted > 0 && state.phase === 0) {
    state.phase = 1
    add(begin + HOUR_MS / 2, (user) => user.ledger.observe({ phase: DEMO_PHASES[1], confidence: 0.7 }))
  }
  if (wanted > 0 && random.chance(0.4)) add(begin, (user) => user.actions.record({ action: random.pick(DEMO_ACTIONS) }))
  const { highlight } = person
  const dayEnd = dayStart + DAY_MS
  if (highlight?.kind === 'eager' && day < highlight.days) planMany(part, dayEnd - 10 * HOUR_MS, HOUR_MS)
  if (highlight?.kind === 'burst' && day === 0) planMany(part, dayEnd - 2 * HOUR_MS, 5 * MINUTE_MS)
  if (highlight?.kind === 'refused' && day === 0) {
    for (const hours of [5, 2]) add(dayEnd - hours * HOUR_MS, (user) => ask(user, DEMO_REFUSED_QUESTION, 'today'))
  }
}

/** More turns than the cap allows, at equal distances; each with a question of its own, so that none is cached. */
function planMany({ random, add }: PlanPart, from: number, everyMs: number): void {
  for (let turn = 0; turn < MANY_TURNS; turn++) {
    add(from + turn * everyMs, (user) => ask(user, `${random.pick(DEMO_QUESTIONS)} (${turn + 1})`, 'today'))
  }
}

/** One turn, whose answer is read as a whole. Failures and refusals are part of the past. */
export async function ask(user: User, question: string, session?: string): Promise<void> {
  const messages = [
    { role: 'system' as const, content: DEMO_INSTRUCTIONS },
    { role: 'user' as const, content: question },
  ]
  try {
    const turn = await user.turn({ messages }, session === undefined ? {} : { session })
    if (turn.allowed) await turn.completion()
  } catch {
    // Recorded by the turn.
  }
}

function planDetections(part: PlanPart & { at: number; state: PersonState }): void {
  const { random, person, add, at, state } = part
  if (random.chance(person.phasePace)) {
    state.phase = Math.min(DEMO_PHASES.length - 1, Math.max(1, state.phase + (random.chance(0.75) ? 1 : -1)))
    const phase = DEMO_PHASES[state.phase]
    const [turnCount, confidence] = [state.turns, random.between(55, 95) / 100]
    const peaks = { [random.pick(DEMO_NODES)]: random.between(100, 900) / 1_000 }
    add(at, (user) => user.ledger.observe({ phase, turnCount, confidence }, { peaks }))
  }
  // The risk of an alarm is planned on its own.
  const isRising = person.highlight?.kind !== 'alarm' && random.chance(person.riskPace)
  if (!isRising && !(state.risk > 0 && random.chance(0.2))) return
  // The highest level is for alarms.
  state.risk = Math.max(0, Math.min(HIGHEST - 1, state.risk + (isRising ? 1 : -1)))
  const riskLevel = DEMO_RISKS[state.risk]
  const primarySignal = random.pick(DEMO_SIGNALS)
  add(at + HOUR_MS, (user) => user.ledger.observe({ riskLevel, primarySignal, confidence: 0.8 }))
  if (state.risk === HIGHEST - 1 && random.chance(0.5)) planBlock(part)
}

/** A block in the past, which was lifted. */
function planBlock({ random, add, at }: PlanPart & { at: number }): void {
  const [blockedAt, operator] = [at + 2 * HOUR_MS, byOperator(random)]
  const liftedAt = blockedAt + random.between(8, 40) * HOUR_MS
  add(
    blockedAt,
    onDeck((user) => user.ledger.block({ ...operator, reason: random.pick(DEMO_BLOCK_REASONS) })),
  )
  add(
    liftedAt,
    onDeck((user) => user.ledger.unblock({ ...operator, reason: 'Settled in a call' })),
  )
}

function planHighlight(part: PlanPart & { now: number }): void {
  const { highlight } = part.person
  if (highlight?.kind === 'alarm') planAlarm(part, part.now - highlight.minutesAgo * MINUTE_MS)
  if (highlight?.kind === 'eager' && highlight.cap !== undefined) planCap(part, highlight.cap)
  if (highlight?.kind === 'burst') planLimit(part, highlight.maxTokens)
  if (highlight?.kind !== 'blocked') return
  const { random, add, now } = part
  const { hoursAgo, endsInMinutes } = highlight
  const until = endsInMinutes === null ? undefined : new Date(now + endsInMinutes * MINUTE_MS).toISOString()
  add(
    now - hoursAgo * HOUR_MS,
    onDeck((user) => user.ledger.block({ ...byOperator(random), reason: random.pick(DEMO_BLOCK_REASONS), until })),
  )
}

/** An operator sets the daily cap of a user, and why. */
function planCap({ random, add, now }: PlanPart & { now: number }, cap: number): void {
  const reason = random.pick(DEMO_CAP_REASONS)
  add(
    now - (6 * DAY_MS + 3 * HOUR_MS),
    onDeck((user) => user.ledger.setDailyCap(cap, { ...byOperator(random), reason })),
  )
}

/** An operator raises the tokens of a user for a while. */
function planLimit({ random, add, now }: PlanPart & { now: number }, maxTokens: number): void {
  const until = new Date(now + 4 * DAY_MS).toISOString()
  const reason = 'Writes a thesis; agreed until the end of the week'
  add(
    now - (3 * DAY_MS + 2 * HOUR_MS),
    onDeck((user) => user.ledger.setLimit('tokens-5h', maxTokens, { ...byOperator(random), reason, until })),
  )
}

/** Rises to the highest risk, days after an operator had taken the risk back. */
function planAlarm({ random, add }: PlanPart, at: number): void {
  const operator = byOperator(random)
  add(at - 5 * DAY_MS, (user) => user.ledger.observe({ riskLevel: 'elevated', confidence: 0.7 }))
  add(
    at - 4 * DAY_MS,
    onDeck((user) =>
      user.ledger.correct({ riskLevel: 'low' }, { ...operator, reason: 'Talked on the phone; no sign of distress' }),
    ),
  )
  add(at - 20 * HOUR_MS, (user) => user.ledger.observe({ riskLevel: 'guarded', confidence: 0.7 }))
  add(at, (user) =>
    user.ledger.observe(
      { riskLevel: 'high', phase: 'entangled', primarySignal: 'late-night messages', confidence: 0.92 },
      { peaks: { longing: 0.94, grief: 0.81 } },
    ),
  )
}
