import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { UserLedger } from '../../src/ledger/api.ts'
import type { Bond } from '../../src/ledger/bond.ts'
import { erase, type House } from '../support/ledger-harness.ts'
import { iso, type PlainRules, type PlainTicket, PlainUser } from './reference-model.ts'

/** What the commands of the model test work on: the plain users, and the house that must agree with them. */
export interface Plain {
  readonly users: Map<string, PlainUser>
  readonly tickets: (PlainTicket & { readonly user: string })[]
}

export interface Real {
  house: House
  readonly tickets: string[]
  /** The house after a restart: same store, empty memory. */
  reopen(): Promise<House>
}

type Step = (
  plain: { user: PlainUser; all: Plain; now: number },
  real: { user: UserLedger; all: Real },
) => Promise<void>

const IDS = ['ann', 'bob'] as const
const by = { actor: 'ana', reason: 'test' }

export function plainOf(rules: PlainRules): Plain {
  return { users: new Map(IDS.map((id) => [id, new PlainUser(id, rules)])), tickets: [] }
}

class Command implements fc.AsyncCommand<Plain, Real> {
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

  async run(plain: Plain, real: Real): Promise<void> {
    const model = plain.users.get(this.#id) as PlainUser
    const now = real.house.clock.now()
    await this.#step({ user: model, all: plain, now }, { user: real.house.of(this.#id), all: real })
    const { head, ...bond } = await real.house.of(this.#id).bond()
    assert.deepEqual(bond, model.bond(real.house.clock.now()))
    assert.equal(head?.sequence ?? 0, model.version)
    const events = await real.house.of(this.#id).events({ limit: 1_000 })
    const told = events.toReversed().map(({ sequence, type, detail }) => ({ sequence, type, detail }))
    assert.deepEqual(
      told,
      model.events.map((event, index) => ({ sequence: index + 1, ...event })),
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
): fc.Arbitrary<fc.AsyncCommand<Plain, Real>> {
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

/** One admission in the model; the ticket it makes is told apart by its place in the list. */
function admitPlain(user: PlainUser, now: number, spent: number): { expected: object; ticket?: PlainTicket } {
  const refusal = user.refusal(now, spent)
  if (refusal !== undefined) return { expected: refusal }
  const place = user.use(now, spent)
  user.write(now, true)
  const ticket: PlainTicket = { life: user.life, issuedAt: now, cost: spent, place, use: 'open' }
  return { expected: { allowed: true, ...user.quota(now) }, ticket }
}

const admit = command(
  'admit',
  [cost, fc.integer({ min: 1, max: 5 })],
  (spent, times) =>
    async ({ user, all, now }, real) => {
      const admissions = await Promise.all(Array.from({ length: times }, () => real.user.admit({ cost: spent })))
      const outcomes = admissions.map((one) => {
        const { expected, ticket } = admitPlain(user, now, spent)
        if (ticket !== undefined && one.allowed) {
          all.tickets.push(Object.assign(ticket, { user: user.id }))
          real.all.tickets.push(one.ticket)
        }
        return expected
      })
      assert.deepEqual(
        admissions.map((one) => ('ticket' in one ? without(one, 'ticket') : one)),
        outcomes,
      )
    },
)

function without<Value extends object, Key extends keyof Value>(value: Value, key: Key): Omit<Value, Key> {
  const { [key]: _, ...rest } = value
  return rest
}

/** What a call with the n-th ticket must reject with, if it must. */
function faultOf(
  ticket: (PlainTicket & { user: string }) | undefined,
  user: PlainUser,
  now: number,
): string | undefined {
  if (ticket === undefined || ticket.user !== user.id) return 'ticket_invalid'
  if (ticket.life !== user.life || !user.exists) return 'user_erased'
  return Math.max(now, user.seenAt ?? 0) - ticket.issuedAt > 7 * 86_400_000 ? 'ticket_invalid' : undefined
}

const refund = command('refund', [index], (at) => async ({ user, all, now }, real) => {
  const ticket = all.tickets[at]
  const call = real.user.refund(real.all.tickets[at] ?? 'none')
  const fault = faultOf(ticket, user, now)
  if (fault !== undefined || ticket === undefined) return assert.rejects(call, { code: fault })
  const open = ticket.use === 'open' || ticket.use === 'claimed'
  assert.equal(await call, open)
  if (!open) return
  ticket.use = 'refunded'
  user.counted.set(ticket.place, Math.max(0, (user.counted.get(ticket.place) ?? 0) - ticket.cost))
  user.write(now)
})

const settle = command('settle', [index], (at) => async ({ user, all, now }, real) => {
  const ticket = all.tickets[at]
  const call = real.user.settle(real.all.tickets[at] ?? 'none', { inputTokens: 3 })
  const fault =
    faultOf(ticket, user, now) ?? (ticket?.use === 'settled' || ticket?.use === 'refunded' ? 'ticket_used' : undefined)
  if (fault !== undefined || ticket === undefined) return assert.rejects(call, { code: fault })
  await call
  ticket.use = 'settled'
  user.write(now)
})

const claim = command('claim', [index], (at) => async ({ user, all, now }, real) => {
  const ticket = all.tickets[at]
  const call = real.user.claim(real.all.tickets[at] ?? 'none')
  const fault = faultOf(ticket, user, now) ?? (ticket?.use === 'open' ? undefined : 'ticket_used')
  if (fault !== undefined || ticket === undefined) return assert.rejects(call, { code: fault })
  const { allowed } = await call
  assert.equal(allowed, user.blockAt(now) === null)
  if (!allowed) return
  ticket.use = 'claimed'
  user.write(now, true)
})

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
  (seen, peaks) =>
    async ({ user, now }, real) => {
      const { ageMs, ...said } = seen
      const at = ageMs === undefined ? undefined : now - ageMs
      const before = { version: user.version, turns: user.turns, peaks: JSON.stringify(user.peaks) }
      const { outcome, events } = await real.user.observe(
        { ...said, at: at === undefined ? undefined : (iso(at) as string) },
        { peaks },
      )
      const effective = Math.min(at ?? now, now)
      const stale = at !== undefined && user.observedAt !== null && effective < user.observedAt
      if (!stale) observePlain(user, said, now)
      for (const [node, value] of Object.entries(peaks)) {
        if (user.peaks[node] === undefined || value > user.peaks[node].value)
          user.peaks = { ...user.peaks, [node]: { value, at: iso(effective) as string } }
      }
      const moved =
        before.version !== user.version || before.turns !== user.turns || before.peaks !== JSON.stringify(user.peaks)
      assert.equal(outcome, stale ? 'stale' : moved ? 'applied' : 'unchanged')
      assert.equal(events.length, user.version - before.version)
      if (!stale) user.observedAt = at === undefined ? Math.max(now, user.observedAt ?? 0) : effective
      if (!stale || moved) user.write(now, !stale)
    },
)

function observePlain(
  user: PlainUser,
  said: {
    phase?: string | undefined
    riskLevel?: string | undefined
    archetype?: string | undefined
    eggStatus?: string | undefined
    turnCount?: number | undefined
  },
  now: number,
): void {
  if (said.phase !== undefined && said.phase !== user.phase) {
    user.log('phase_transition', `${user.phase} -> ${said.phase}`)
    user.previousPhase = user.phase
    user.phase = said.phase
    user.phaseEnteredAt = iso(now)
  }
  if (said.riskLevel !== undefined && said.riskLevel !== user.risk) {
    user.log('risk_change', `risk: ${user.risk} -> ${said.riskLevel}`)
    user.risk = said.riskLevel
  }
  if (said.archetype !== undefined && said.archetype !== user.archetype) {
    user.log('attribute_change', `archetype: ${user.archetype} -> ${said.archetype}`)
    user.archetype = said.archetype
  }
  if (said.eggStatus !== undefined && said.eggStatus !== user.egg) {
    user.log('attribute_change', `egg status: ${user.egg} -> ${said.eggStatus}`)
    user.egg = said.eggStatus
  }
  user.turns = said.turnCount ?? user.turns
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

const correct = command('correct', [phase, maybe(risk)], (wanted, level) => async ({ user, now }, real) => {
  await real.user.correct({ phase: wanted, riskLevel: level }, by)
  const changes: string[] = []
  if (wanted !== user.phase) {
    changes.push(`phase: ${user.phase} -> ${wanted}`)
    user.previousPhase = user.phase
    user.phase = wanted
    user.phaseEnteredAt = iso(now)
  }
  if (level !== undefined && level !== user.risk) {
    changes.push(`risk: ${user.risk} -> ${level}`)
    user.risk = level
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
      assert.deepEqual(
        (await real.user.notes()).map((note) => note.text),
        user.notes,
      )
    },
)

const record = command('record', [fc.constantFrom('acme:a', 'acme:b')], (type) => async ({ user, now }, real) => {
  await real.user.record(type, { detail: 'x' })
  user.log(type, 'x')
  user.write(now)
})

const setZone = command(
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

const pass = command(
  'time passes',
  [fc.constantFrom(1, 59_000, 3_600_000, 6 * 3_600_000, 30 * 3_600_000)],
  (ms) => async (_, real) => {
    real.all.house.clock.advance(ms)
  },
)

const back = command(
  'the clock goes back',
  [fc.constantFrom(1, 59_000, 5 * 3_600_000, 40 * 3_600_000)],
  (ms) => async (_, real) => {
    real.all.house.clock.stepWall(-ms)
  },
)

const restart = command('restart', [], () => async (_, real) => {
  real.all.house = await real.all.reopen()
})

const eraseUser = command('erase', [], () => async ({ user }, real) => {
  await erase(real.all.house, user.id, (real.all.house as House & { namespace: string }).namespace)
  user.erase()
})

const verify = command('verify', [], () => async ({ user }, real) => {
  assert.deepEqual(await real.user.verify(), { ok: true, checked: user.version })
})

const always = [
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
  pass,
  restart,
  eraseUser,
  verify,
]

/** Clocks that go back and zones that change are told apart: together they have no plain meaning to compare with. */
export const WITH_ZONES: fc.Arbitrary<Iterable<fc.AsyncCommand<Plain, Real>>> = fc.commands(
  [...always, setZone, setZone],
  { maxCommands: 40, size: '+1' },
)
export const WITH_CLOCK: fc.Arbitrary<Iterable<fc.AsyncCommand<Plain, Real>>> = fc.commands([...always, back], {
  maxCommands: 30,
})

export type { Bond }
