import type { Bond, Event, Note } from '../../src/api/wire.ts'

export interface MockUser {
  bond: Bond
  /** Newest first, like the notes. */
  events: Event[]
  notes: Note[]
}

export type NewMockEvent = Pick<Event, 'type' | 'detail' | 'data'> & Partial<Pick<Event, 'at' | 'actor' | 'reason'>>

/** The users of the mock API, in memory. */
export interface MockStore {
  readonly users: Map<string, MockUser>
  readonly now: () => number
  /** Adds an event to the log of a user and changes the bond. `at` defaults to now. */
  appendEvent(user: string, event: NewMockEvent, change?: Partial<Bond>): Event
  /** Counts one message of a user, who is created if necessary. */
  chat(user: string, atMs?: number): MockUser
}

const PHASES = ['dormant', 'awakening', 'bonding', 'deepening', 'steady'] as const
const RISK_LEVELS = ['low', 'medium', 'high', 'critical'] as const
const ARCHETYPES = ['unknown', 'explorer', 'caretaker', 'orphan'] as const
const NAMES = ['ada', 'grace', 'linus', 'marie', 'alan', 'edsger', 'barbara', 'ken', 'radia', 'tim', 'hedy', 'claude']
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Creates a store with `count` users; apart from the times, their data is the same in every run. */
export function createMockStore(now: () => number, count: number): MockStore {
  const users = new Map<string, MockUser>()
  const store: MockStore = {
    users,
    now,
    appendEvent(user, event, change = {}) {
      const entry = users.get(user) ?? store.chat(user)
      const sequence = (entry.events[0]?.sequence ?? 0) + 1
      const appended: Event = {
        v: 1,
        id: `${user}-${sequence}`,
        user,
        sequence,
        at: toInstant(now()),
        mac: `${'9f86d081884c7d659a2feaa0c55ad015'.slice(sequence % 16)}a3bf4f1b2b0b822c`,
        ...event,
      }
      entry.events.unshift(appended)
      entry.bond = { ...entry.bond, ...change, version: sequence, updatedAt: appended.at }
      return appended
    },
    chat(user, atMs = now()) {
      const entry = users.get(user) ?? { bond: createBond(user, atMs, now()), events: [], notes: [] }
      const { dailyCount, turnCount } = entry.bond
      entry.bond = {
        ...entry.bond,
        dailyCount: dailyCount + 1,
        turnCount: turnCount + 1,
        lastSeenAt: toInstant(atMs),
      }
      users.set(user, entry)
      return entry
    },
  }
  const random = createRandom(7)
  for (let index = 0; index < count; index++) seedUser(store, index, random)
  return store
}

/** A Lehmer generator of numbers from 0 to 1, so that screenshots of different runs can be compared. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

function toInstant(ms: number): string {
  return new Date(ms).toISOString()
}

function createBond(user: string, atMs: number, nowMs: number): Bond {
  const at = toInstant(atMs)
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
    plan: null,
    planOrigin: 'default',
    dailyCount: 0,
    windowResetAt: toInstant(Math.ceil(nowMs / DAY_MS) * DAY_MS),
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

function seedUser(store: MockStore, index: number, random: () => number): void {
  const name = NAMES[index % NAMES.length] ?? 'ada'
  const user = index < NAMES.length ? name : `${name}.${Math.floor(index / NAMES.length) + 1}@example.org`
  const startMs = store.now() - (2 + random() * 40) * DAY_MS
  store.chat(user, startMs)
  seedHistory(store, user, { startMs, steps: index === 0 ? 14 : 1 + Math.floor(random() * 5), random })
  const seenMs = seedBond(store, user, random)
  if (random() < 0.06) seedBlock(store, user, toInstant(seenMs))
  if (index === 0) seedOperatorActions(store, user, seenMs)
}

/** Phase and risk changes and purchases, spread from the start until now. */
function seedHistory(
  store: MockStore,
  user: string,
  { startMs, steps, random }: { startMs: number; steps: number; random: () => number },
): void {
  let phase: string = PHASES[0]
  let riskLevel: string = RISK_LEVELS[0]
  for (let step = 0; step < steps; step++) {
    const at = toInstant(startMs + ((store.now() - startMs) * (step + random())) / steps)
    const nextPhase = PHASES[Math.floor(random() * PHASES.length)] ?? phase
    if (nextPhase !== phase) {
      const data = { from: phase, to: nextPhase, confidence: 0.8, primarySignal: 'long evenings' }
      store.appendEvent(
        user,
        { type: 'phase_transition', detail: `${phase} -> ${nextPhase}`, data, at },
        { phase: nextPhase, previousPhase: phase, phaseEnteredAt: at },
      )
      phase = nextPhase
    }
    const nextRiskLevel = RISK_LEVELS[Math.floor(random() ** 2 * RISK_LEVELS.length)] ?? riskLevel
    if (nextRiskLevel !== riskLevel) {
      const data = { from: riskLevel, to: nextRiskLevel, source: { name: 'detector', version: '3' } }
      store.appendEvent(
        user,
        { type: 'risk_change', detail: `risk: ${riskLevel} -> ${nextRiskLevel}`, data, at },
        { riskLevel: nextRiskLevel },
      )
      riskLevel = nextRiskLevel
    }
    if (random() < 0.25) {
      store.appendEvent(user, { type: 'shop:purchase', detail: 'bought 3 months', data: { months: 3 }, at })
    }
  }
}

/** Sets cap, counts and peaks; returns when the user was last seen. */
function seedBond(store: MockStore, user: string, random: () => number): number {
  const entry = store.users.get(user) ?? store.chat(user)
  const dailyCap = random() < 0.2 ? 0 : random() < 0.3 ? 20 : 50
  const count = Math.floor(random() * (dailyCap === 0 ? 40 : dailyCap * 1.02))
  const seenMs = store.now() - random() ** 3 * 3 * DAY_MS - MINUTE_MS / 2
  entry.bond = {
    ...entry.bond,
    archetype: ARCHETYPES[Math.floor(random() * ARCHETYPES.length)] ?? 'unknown',
    dailyCap,
    capOrigin: dailyCap === 50 ? 'default' : 'user',
    dailyCount: dailyCap === 0 ? count : Math.min(count, dailyCap),
    windowResetAt: dailyCap === 0 ? null : entry.bond.windowResetAt,
    turnCount: 20 + Math.floor(random() * 900),
    lastSeenAt: toInstant(seenMs),
    peaks: {
      attachment: { value: 0.8125, at: toInstant(seenMs) },
      isolation: { value: 0.44, at: toInstant(seenMs - DAY_MS) },
    },
  }
  return seenMs
}

function seedBlock(store: MockStore, user: string, at: string): void {
  const blocked = { at, actor: 'meera', reason: 'Account shared between several people', until: null }
  const { actor, reason } = blocked
  const data = { action: 'block', before: null, after: blocked }
  store.appendEvent(user, { type: 'admin_action', detail: 'blocked', data, actor, reason, at }, { blocked })
}

/** A note and a cap. */
function seedOperatorActions(store: MockStore, user: string, seenMs: number): void {
  const [noteAt, capAt] = [toInstant(seenMs - HOUR_MS), toInstant(seenMs)]
  const actor = 'meera'
  const note = { id: 'n1', at: noteAt, actor, text: 'Talked to the family. Leave the cap at 50 until Monday.' }
  store.users.get(user)?.notes.push(note)
  const noteData = { action: 'note', before: null, after: null, id: note.id, length: note.text.length }
  store.appendEvent(
    user,
    { type: 'admin_action', detail: 'note added', data: noteData, actor, at: noteAt },
    { notesCount: 1 },
  )
  const capData = { action: 'cap', before: null, after: 50, old_cap: 0, new_cap: 50 }
  const capDetail = 'rate limit: unlimited (default) -> 50 msgs/day'
  store.appendEvent(
    user,
    { type: 'admin_action', detail: capDetail, data: capData, actor, reason: 'Nights of 300 messages', at: capAt },
    { dailyCap: 50, capOrigin: 'user', dailyCount: 41 },
  )
}
