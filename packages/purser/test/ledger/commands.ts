import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { UserLedger } from '../../src/ledger/api.ts'
import type { LedgerHarness } from '../support/ledger-harness.ts'
import { iso, type ReferenceRules, type ReferenceTicket, ReferenceUser } from './reference-model.ts'

/** The reference that the commands of the model test run on, beside the real ledger. */
export interface Model {
  readonly users: Map<string, ReferenceUser>
  readonly tickets: (ReferenceTicket & { readonly user: string })[]
}

export interface Real {
  harness: LedgerHarness
  readonly tickets: string[]
}

type Step = (
  model: { readonly user: ReferenceUser; readonly all: Model; readonly now: number },
  real: { readonly user: UserLedger; readonly all: Real },
) => Promise<void>

type LedgerCommand = fc.AsyncCommand<Model, Real>

const IDS = ['ann', 'bob'] as const
const by = { actor: 'ana', reason: 'test' }

export function createModel(rules: ReferenceRules): Model {
  return { users: new Map(IDS.map((id) => [id, new ReferenceUser(id, rules)])), tickets: [] }
}

/** Runs a step on both, then compares bond and events. */
class Command implements LedgerCommand {
  readonly #id: string
  readonly #label: string
  readonly #step: Step

  constructor(id: string, label: string, step: Step) {
    this.#id = id
    this.#label = label
    this.#step = step
  }

  check(): boolean {
    return true
  }

  async run(model: Model, real: Real): Promise<void> {
    const user = model.users.get(this.#id) as ReferenceUser
    const now = real.harness.clock.now()
    await this.#step({ user, all: model, now }, { user: real.harness.user(this.#id), all: real })
    const { head, ...bond } = await real.harness.user(this.#id).bond()
    assert.deepEqual(bond, user.bond(real.harness.clock.now()))
    assert.equal(head?.sequence ?? 0, user.version)
    const events = await real.harness.user(this.#id).events({ limit: 1_000 })
    assert.deepEqual(
      events.toReversed().map(({ sequence, type, detail }) => ({ sequence, type, detail })),
      user.events.map((event, index) => ({ sequence: index + 1, ...event })),
    )
  }

  toString(): string {
    return `${this.#id}: ${this.#label}`
  }
}

function command<Parameters extends unknown[]>(
  label: string,
  arbitraries: { [Index in keyof Parameters]: fc.Arbitrary<Parameters[Index]> },
  step: (...parameters: Parameters) => Step,
): fc.Arbitrary<LedgerCommand> {
  return fc
    .tuple(fc.constantFrom(...IDS), fc.tuple(...arbitraries))
    .map(
      ([id, parameters]) =>
        new Command(id, `${label} ${JSON.stringify(parameters)}`, step(...(parameters as Parameters))),
    )
}

const cost = fc.integer({ min: 1, max: 4 })
const index = fc.nat(30)
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const phase = fc.constantFrom('dormant', 'warm', 'cold')
const risk = fc.constantFrom('low', 'some', 'high')

function admitReference(
  user: ReferenceUser,
  now: number,
  spent: number,
): { expected: object; ticket?: ReferenceTicket } {
  const refusal = user.refusal(now, spent)
  if (refusal !== undefined) {
    if ('reason' in refusal && refusal.reason === 'daily_cap') user.reportRefusal(now)
    return { expected: refusal }
  }
  const window = user.use(now, spent)
  user.write(now, true)
  const ticket: ReferenceTicket = {
    incarnation: user.incarnation,
    issuedAt: now,
    cost: spent,
    window,
    use: 'open',
  }
  return { expected: { allowed: true, ...user.quota(now), model: null, downgradedBy: null }, ticket }
}

/** The tickets of the reference and of the ledger have the same index. */
const admit = command(
  'admit',
  [cost, fc.integer({ min: 1, max: 5 })],
  (spent, times) =>
    async ({ user, all, now }, real) => {
      const admissions = await Promise.all(Array.from({ length: times }, () => real.user.admit({ cost: spent })))
      const expectations = admissions.map((admission) => {
        const { expected, ticket } = admitReference(user, now, spent)
        if (ticket !== undefined && admission.allowed) {
          all.tickets.push(Object.assign(ticket, { user: user.id }))
          real.all.tickets.push(admission.ticket)
        }
        return expected
      })
      assert.deepEqual(
        admissions.map((admission) => ('ticket' in admission ? omit(admission, 'ticket') : admission)),
        expectations,
      )
    },
)

function omit<Value extends object, Key extends keyof Value>(value: Value, key: Key): Omit<Value, Key> {
  const { [key]: _, ...rest } = value
  return rest
}

/** The code that a call with this ticket must reject with; undefined when it must not. */
function expectedError(
  ticket: (ReferenceTicket & { user: string }) | undefined,
  user: ReferenceUser,
  now: number,
): string | undefined {
  if (ticket === undefined || ticket.user !== user.id) return 'ticket_invalid'
  if (ticket.incarnation !== user.incarnation || !user.exists) return 'user_erased'
  return Math.max(now, user.seenAt ?? 0) - ticket.issuedAt > 7 * 86_400_000 ? 'ticket_invalid' : undefined
}

const refund = command('refund', [index], (at) => async ({ user, all, now }, real) => {
  const ticket = all.tickets[at]
  const call = real.user.refund(real.all.tickets[at] ?? 'none')
  const code = expectedError(ticket, user, now)
  if (code !== undefined || ticket === undefined) return assert.rejects(call, { code })
  const isOpen = ticket.use === 'open' || ticket.use === 'claimed'
  assert.equal(await call, isOpen)
  if (!isOpen) return
  ticket.use = 'refunded'
  user.counted.set(ticket.window, Math.max(0, (user.counted.get(ticket.window) ?? 0) - ticket.cost))
  user.write(now)
})

const settle = command('settle', [index], (at) => async ({ user, all, now }, real) => {
  const ticket = all.tickets[at]
  const call = real.user.settle(real.all.tickets[at] ?? 'none', { inputTokens: 3 })
  const isClosed = ticket?.use === 'settled' || ticket?.use === 'refunded'
  const code = expectedError(ticket, user, now) ?? (isClosed ? 'ticket_used' : undefined)
  if (code !== undefined || ticket === undefined) return assert.rejects(call, { code })
  await call
  ticket.use = 'settled'
  user.write(now)
})

const claim = command('claim', [index], (at) => async ({ user, all, now }, real) => {
  const ticket = all.tickets[at]
  const call = real.user.claim(real.all.tickets[at] ?? 'none')
  const code = expectedError(ticket, user, now) ?? (ticket?.use === 'open' ? undefined : 'ticket_used')
  if (code !== undefined || ticket === undefined) return assert.rejects(call, { code })
  const { allowed } = await call
  assert.equal(allowed, user.blockAt(now) === null)
  if (!allowed) return
  ticket.use = 'claimed'
  user.write(now, true)
})

interface Labels {
  readonly phase?: string | undefined
  readonly riskLevel?: string | undefined
  readonly archetype?: string | undefined
  readonly eggStatus?: string | undefined
  readonly turnCount?: number | undefined
}

const detection = fc.record({
  phase: maybe(phase),
  riskLevel: maybe(risk),
  archetype: maybe(fc.constantFrom('unknown', 'seeker')),
  eggStatus: maybe(fc.constantFrom('none', 'laid')),
  turnCount: maybe(fc.nat(9)),
  ageMs: maybe(fc.constantFrom(-60_000, 0, 1_000, 3_600_000)),
})

const observe = command(
  'observe',
  [detection, fc.dictionary(fc.constantFrom('joy', 'fear'), fc.integer({ min: -2, max: 5 }))],
  ({ ageMs, ...labels }, peaks) =>
    async ({ user, now }, real) => {
      const at = ageMs === undefined ? undefined : now - ageMs
      const { version } = user
      const input = { ...labels, at: at === undefined ? undefined : (iso(at) as string) }
      const { outcome, events } = await real.user.observe(input, { peaks })
      assert.equal(outcome, observeReference(user, { labels, peaks, at }, now))
      assert.equal(events.length, user.version - version)
    },
)

function observeReference(
  user: ReferenceUser,
  { labels, peaks, at }: { labels: Labels; peaks: Readonly<Record<string, number>>; at: number | undefined },
  now: number,
): 'applied' | 'unchanged' | 'stale' {
  const before = { version: user.version, turns: user.turns }
  const effective = Math.min(at ?? now, now)
  const isStale = at !== undefined && user.observedAt !== null && effective < user.observedAt
  if (!isStale) observeLabels(user, labels, now)
  const isRaised = raisePeaks(user, peaks, iso(effective) as string)
  const isChanged = isRaised || before.version !== user.version || before.turns !== user.turns
  if (!isStale) user.observedAt = at === undefined ? Math.max(now, user.observedAt ?? 0) : effective
  if (!isStale || isChanged) user.write(now, !isStale)
  if (isStale) return 'stale'
  return isChanged ? 'applied' : 'unchanged'
}

function raisePeaks(user: ReferenceUser, peaks: Readonly<Record<string, number>>, at: string): boolean {
  const higher = Object.entries(peaks).filter(([node, value]) => value > (user.peaks[node]?.value ?? -Infinity))
  for (const [node, value] of higher) user.peaks = { ...user.peaks, [node]: { value, at } }
  return higher.length > 0
}

function observeLabels(user: ReferenceUser, labels: Labels, now: number): void {
  if (labels.phase !== undefined && labels.phase !== user.phase) {
    user.log('phase_transition', `${user.phase} -> ${labels.phase}`)
    user.previousPhase = user.phase
    user.phase = labels.phase
    user.phaseEnteredAt = iso(now)
  }
  if (labels.riskLevel !== undefined && labels.riskLevel !== user.risk) {
    user.log('risk_change', `risk: ${user.risk} -> ${labels.riskLevel}`)
    user.risk = labels.riskLevel
  }
  if (labels.archetype !== undefined && labels.archetype !== user.archetype) {
    user.log('attribute_change', `archetype: ${user.archetype} -> ${labels.archetype}`)
    user.archetype = labels.archetype
  }
  if (labels.eggStatus !== undefined && labels.eggStatus !== user.egg) {
    user.log('attribute_change', `egg status: ${user.egg} -> ${labels.eggStatus}`)
    user.egg = labels.eggStatus
  }
  user.turns = labels.turnCount ?? user.turns
}

const setCap = command('setDailyCap', [fc.constantFrom(0, 1, 3, 8, null)], (cap) => async ({ user, now }, real) => {
  await real.user.setDailyCap(cap, by)
  if (cap === user.cap) return
  const old = user.cap ?? user.rules.dailyCap
  user.log(
    'admin_action',
    `rate limit: ${old} -> ${cap ?? user.rules.dailyCap} msgs/day${cap === null ? ' (default)' : ''}`,
  )
  user.cap = cap
  user.write(now)
})

const block = command('block', [maybe(fc.constantFrom(60_000, 7_200_000))], (forMs) => async ({ user, now }, real) => {
  const until = forMs === undefined ? null : iso(now + forMs)
  await real.user.block({ ...by, until: until ?? undefined })
  const present = user.blockAt(now)
  if (present !== null && present.until === until) return
  user.log('admin_action', until === null ? 'blocked' : `blocked until ${until}`)
  user.blocked = { at: iso(now) as string, ...by, until }
  user.write(now)
})

const unblock = command('unblock', [], () => async ({ user, now }, real) => {
  await real.user.unblock(by)
  if (user.blockAt(now) === null) return
  user.log('admin_action', 'unblocked')
  user.blocked = null
  user.write(now)
})

const correct = command('correct', [phase, maybe(risk)], (toPhase, toRisk) => async ({ user, now }, real) => {
  await real.user.correct({ phase: toPhase, riskLevel: toRisk }, by)
  const changes: string[] = []
  if (toPhase !== user.phase) {
    changes.push(`phase: ${user.phase} -> ${toPhase}`)
    user.previousPhase = user.phase
    user.phase = toPhase
    user.phaseEnteredAt = iso(now)
  }
  if (toRisk !== undefined && toRisk !== user.risk) {
    changes.push(`risk: ${user.risk} -> ${toRisk}`)
    user.risk = toRisk
  }
  if (changes.length === 0) return
  user.log('admin_action', `corrected ${changes.join(', ')}`)
  user.write(now)
})

const addNote = command(
  'addNote',
  [fc.string({ minLength: 1, maxLength: 5 }).filter((text) => text.trim() !== '')],
  (text) =>
    async ({ user, now }, real) => {
      await real.user.addNote(text, by)
      user.notes.unshift(text)
      user.log('admin_action', 'note added')
      user.write(now)
      const notes = await real.user.notes()
      assert.deepEqual(
        notes.map((note) => note.text),
        user.notes,
      )
    },
)

const record = command('record', [fc.constantFrom('acme:a', 'acme:b')], (type) => async ({ user, now }, real) => {
  await real.user.record(type, { detail: 'x' })
  user.log(type, 'x')
  user.write(now)
})

const setTimeZone = command(
  'setTimeZone',
  [fc.constantFrom('Asia/Kolkata', 'America/New_York', 'Pacific/Apia', null)],
  (zone) =>
    async ({ user, now }, real) => {
      await real.user.setTimeZone(zone, by)
      if (zone === user.zone) return
      user.log('admin_action', `time zone: ${user.zone ?? 'default'} -> ${zone ?? 'default'}`)
      user.zone = zone
      user.write(now)
    },
)

const advanceClock = command(
  'advance the clock',
  [fc.constantFrom(1, 59_000, 3_600_000, 6 * 3_600_000, 30 * 3_600_000)],
  (ms) => async (_, real) => {
    real.all.harness.clock.advance(ms)
  },
)

const setClockBack = command(
  'set the clock back',
  [fc.constantFrom(1, 59_000, 5 * 3_600_000, 40 * 3_600_000)],
  (ms) => async (_, real) => {
    real.all.harness.clock.stepWall(-ms)
  },
)

const restart = command('restart', [], () => async (_, real) => {
  real.all.harness = await real.all.harness.reopen()
})

const erase = command('erase', [], () => async ({ user }, real) => {
  await real.all.harness.erase(user.id)
  user.erase()
})

const verify = command('verify', [], () => async ({ user }, real) => {
  assert.deepEqual(await real.user.verify(), { ok: true, checked: user.version })
})

const COMMON = [
  admit,
  admit,
  refund,
  settle,
  claim,
  observe,
  observe,
  setCap,
  block,
  unblock,
  correct,
  addNote,
  record,
  advanceClock,
  restart,
  erase,
  verify,
]

/** Zone changes and clocks that are set back are tested separately: the reference does not define their combination. */
export const WITH_ZONES: fc.Arbitrary<Iterable<LedgerCommand>> = fc.commands([...COMMON, setTimeZone, setTimeZone], {
  maxCommands: 40,
  size: '+1',
})
export const WITH_CLOCK: fc.Arbitrary<Iterable<LedgerCommand>> = fc.commands([...COMMON, setClockBack], {
  maxCommands: 30,
})
