import type { Bond, Note } from 'purser'
import type { LedgerEvent } from '../../src/api/responses.ts'

/** A few lively users, the same in every run: what the mock server answers from. */
export interface Person {
  bond: Bond
  events: LedgerEvent[]
  notes: Note[]
}

export interface World {
  readonly people: Map<string, Person>
  readonly now: () => number
  /** Adds an event on top of a user's log and changes the bond with it. */
  log(
    user: string,
    event: Pick<LedgerEvent, 'type' | 'detail' | 'data'> & Partial<Omit<LedgerEvent, 'v'>>,
    change?: Partial<Bond>,
  ): LedgerEvent
  /** One message of a user, who may be new. */
  chat(user: string): Person
}

const PHASES = ['dormant', 'awakening', 'bonding', 'deepening', 'steady'] as const
const RISKS = ['low', 'medium', 'high', 'critical'] as const
const ARCHETYPES = ['unknown', 'explorer', 'caretaker', 'orphan'] as const
const NAMES = ['ada', 'grace', 'linus', 'marie', 'alan', 'edsger', 'barbara', 'ken', 'radia', 'tim', 'hedy', 'claude']
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 24 * HOUR

export function createWorld(now: () => number, count: number): World {
  const people = new Map<string, Person>()
  const world: World = {
    people,
    now,
    log(user, event, change = {}) {
      const person = people.get(user) ?? world.chat(user)
      const sequence = (person.events[0]?.sequence ?? 0) + 1
      const made: LedgerEvent = {
        v: 1,
        id: `${user}-${sequence}`,
        user,
        sequence,
        at: new Date(now()).toISOString(),
        mac: `${'9f86d081884c7d659a2feaa0c55ad015'.slice(sequence % 16)}a3bf4f1b2b0b822c`,
        ...event,
      }
      person.events.unshift(made)
      person.bond = { ...person.bond, ...change, version: sequence, updatedAt: made.at }
      return made
    },
    chat(user) {
      const at = new Date(now()).toISOString()
      const person = people.get(user) ?? { bond: newBond(user, at, now()), events: [], notes: [] }
      const { bond } = person
      person.bond = { ...bond, dailyCount: bond.dailyCount + 1, turnCount: bond.turnCount + 1, lastSeenAt: at }
      people.set(user, person)
      return person
    },
  }
  const next = chances(7)
  for (let index = 0; index < count; index++) settle(world, index, next)
  return world
}

/** A small generator of numbers from 0 to 1, so that a picture of the page can be compared with the last one. */
function chances(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function newBond(user: string, at: string, now: number): Bond {
  return {
    user,
    exists: true,
    version: 0,
    phase: 'dormant',
    previousPhase: 'dormant',
    archetype: 'unknown',
    phaseEnteredAt: null,
    turnCount: 0,
    peaks: {},
    riskLevel: 'low',
    dailyCap: 50,
    capOrigin: 'default',
    dailyCount: 0,
    windowResetAt: new Date(Math.ceil(now / DAY) * DAY).toISOString(),
    blocked: null,
    eggStatus: 'none',
    notesCount: 0,
    timeZone: 'Asia/Kolkata',
    createdAt: at,
    lastSeenAt: at,
    updatedAt: at,
    head: null,
  }
}

function settle(world: World, index: number, next: () => number): void {
  const name = NAMES[index % NAMES.length] ?? 'ada'
  const user = index < NAMES.length ? name : `${name}.${Math.floor(index / NAMES.length) + 1}@example.org`
  const started = world.now() - (2 + next() * 40) * DAY
  const past = createPast(world, started)
  past.chat(user)
  const steps = index === 0 ? 14 : 1 + Math.floor(next() * 5)
  let phase: string = PHASES[0]
  let risk: string = RISKS[0]
  for (let step = 0; step < steps; step++) {
    past.at = started + ((world.now() - started) * (step + next())) / steps
    const toPhase = PHASES[Math.min(PHASES.length - 1, Math.floor(next() * PHASES.length))] ?? 'dormant'
    if (toPhase !== phase) {
      past.log(
        user,
        'phase_transition',
        `${phase} -> ${toPhase}`,
        { from: phase, to: toPhase, confidence: 0.8, primarySignal: 'long evenings' },
        { phase: toPhase, previousPhase: phase, phaseEnteredAt: new Date(past.at).toISOString() },
      )
      phase = toPhase
    }
    const toRisk = RISKS[Math.floor(next() ** 2 * RISKS.length)] ?? 'low'
    if (toRisk !== risk) {
      past.log(
        user,
        'risk_change',
        `risk: ${risk} -> ${toRisk}`,
        { from: risk, to: toRisk, source: { name: 'detector', version: '3' } },
        { riskLevel: toRisk },
      )
      risk = toRisk
    }
    if (next() < 0.25) past.log(user, 'shop:purchase', 'bought 3 months', { months: 3 })
  }
  finish(world, user, next)
}

function createPast(world: World, started: number) {
  const past = {
    at: started,
    chat: (user: string) => createWorldAt(world, past).chat(user),
    log(user: string, type: string, detail: string, data: Record<string, unknown>, change: Partial<Bond> = {}) {
      world.log(user, { type, detail, data, at: new Date(past.at).toISOString() }, change)
    },
  }
  return past
}

function createWorldAt(world: World, past: { at: number }): Pick<World, 'chat'> {
  return {
    chat(user) {
      const person = world.chat(user)
      const at = new Date(past.at).toISOString()
      person.bond = { ...person.bond, createdAt: at, lastSeenAt: at }
      return person
    },
  }
}

function finish(world: World, user: string, next: () => number): void {
  const person = world.people.get(user)
  if (person === undefined) return
  const cap = next() < 0.2 ? 0 : next() < 0.3 ? 20 : 50
  const count = Math.floor(next() * (cap === 0 ? 40 : cap * 1.02))
  const seen = world.now() - next() ** 3 * 3 * DAY - MINUTE / 2
  person.bond = {
    ...person.bond,
    archetype: ARCHETYPES[Math.floor(next() * ARCHETYPES.length)] ?? 'unknown',
    dailyCap: cap,
    capOrigin: cap === 50 ? 'default' : 'user',
    dailyCount: Math.min(count, cap === 0 ? count : cap),
    windowResetAt: cap === 0 ? null : person.bond.windowResetAt,
    turnCount: 20 + Math.floor(next() * 900),
    lastSeenAt: new Date(seen).toISOString(),
    peaks: {
      attachment: { value: 0.8125, at: new Date(seen).toISOString() },
      isolation: { value: 0.44, at: new Date(seen - DAY).toISOString() },
    },
  }
  if (next() < 0.06) block(world, user, seen)
  if (user === 'ada') {
    person.notes.push({
      id: 'n1',
      at: new Date(seen - HOUR).toISOString(),
      actor: 'meera',
      text: 'Talked to the family. Keep the cap at 50 until Monday.',
    })
    world.log(
      user,
      {
        type: 'admin_action',
        detail: 'note added',
        data: { action: 'note', before: null, after: null, id: 'n1', length: 55 },
        actor: 'meera',
        at: new Date(seen - HOUR).toISOString(),
      },
      { notesCount: 1 },
    )
    world.log(
      user,
      {
        type: 'admin_action',
        detail: 'rate limit: unlimited (default) -> 50 msgs/day',
        data: { action: 'cap', before: null, after: 50, old_cap: 0, new_cap: 50 },
        actor: 'meera',
        reason: 'Nights of 300 messages',
        at: new Date(seen).toISOString(),
      },
      { dailyCap: 50, capOrigin: 'user', dailyCount: 41 },
    )
  }
}

function block(world: World, user: string, at: number): void {
  const blocked = {
    at: new Date(at).toISOString(),
    actor: 'meera',
    reason: 'Account shared between several people',
    until: null,
  }
  world.log(
    user,
    {
      type: 'admin_action',
      detail: 'blocked',
      data: { action: 'block', before: null, after: blocked },
      actor: 'meera',
      reason: blocked.reason,
      at: blocked.at,
    },
    { blocked },
  )
}
