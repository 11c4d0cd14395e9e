import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { NewEvent } from '../../../src/journal/event.ts'
import {
  decideAdmission,
  type LimitContext,
  type LimitTicket,
  moveAdmission,
} from '../../../src/ledger/limits/admission.ts'
import { type Amount, toAmount } from '../../../src/ledger/limits/amount.ts'
import {
  changeLimit,
  changeOwnLimit,
  changePlan,
  evolveLimits,
  resetLimitUsage,
} from '../../../src/ledger/limits/changes.ts'
import { observeClock } from '../../../src/ledger/limits/clock.ts'
import { renewHolds } from '../../../src/ledger/limits/holds.ts'
import { limitStates } from '../../../src/ledger/limits/limit-state.ts'
import { formatMoney } from '../../../src/ledger/limits/money.ts'
import type { ZoneState } from '../../../src/ledger/limits/periods.ts'
import { changeZone } from '../../../src/ledger/limits/periods.ts'
import {
  createLimitPolicy,
  type LimitPolicy,
  NO_USER_LIMITS,
  type UserLimits,
} from '../../../src/ledger/limits/policy.ts'
import { createPrices, type Prices } from '../../../src/ledger/limits/prices.ts'
import { refundUsage, settleUsage } from '../../../src/ledger/limits/settlement.ts'
import { encodeUsage, parseStoredUsage } from '../../../src/ledger/limits/stored-usage.ts'
import { NO_USAGE, type Usage } from '../../../src/ledger/limits/usage.ts'
import type { Limit } from '../../../src/options.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import {
  type ReferenceConfig,
  type ReferenceFact,
  ReferenceLimits,
  type Spending,
  toUnits,
} from './reference-limits.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const by = { actor: 'ana', reason: 'test' }

const STORED = { window: 'day', timeZone: 'UTC' } as const

/** The rules engine with what a store would hold: the usage goes through JSON after every decision. */
class Engine {
  readonly policy: LimitPolicy
  readonly prices: Prices
  readonly timeZone: string
  usage: Usage = NO_USAGE
  limits: UserLimits = NO_USER_LIMITS
  zone: ZoneState | null = null
  tickets: Map<string, LimitTicket> = new Map()
  facts: ReferenceFact[] = []
  now = 0

  constructor(config: ReferenceConfig) {
    this.policy = createLimitPolicy(config)
    this.prices = createPrices(config.prices)
    this.timeZone = config.timeZone
  }

  get context(): LimitContext {
    const { policy, prices, limits, now } = this
    return { policy, prices, limits, now, zone: { state: this.zone, timeZone: this.timeZone } }
  }

  get at(): number {
    return observeClock(this.usage, this.now, this.context.zone).clock.at
  }

  store(usage: Usage | undefined, events: readonly NewEvent[]): void {
    if (usage !== undefined) this.usage = parseStoredUsage(STORED, JSON.parse(encodeUsage(usage)), { zone: null })
    for (const event of events) this.limits = evolveLimits(this.limits, event)
    for (const { type, data } of events) {
      if (type === 'limit_change' || type === 'plan_change') continue
      const { limit = null, threshold = null } = data as { limit?: string; threshold?: number }
      this.facts.push({ type, limit, threshold })
    }
  }
}

const MODELS = ['openai/gpt', 'openai/mini', 'anthropic/opus', 'local/free'] as const
const PRICES = {
  'openai/gpt': { input: '2.5', output: '10', cachedInput: '0.0375' },
  'openai/*': { input: '0.15', output: '0.6', request: '0.001' },
  'anthropic/*': { input: '15', output: '75' },
}

const maybe = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(arbitrary, { nil: undefined })

const window = fc.constantFrom(
  'day',
  'week',
  'month',
  'total',
  '1m',
  '5h',
  '1d',
  '30d',
  'sliding:1m',
  'sliding:7h',
  'sliding:3d',
  'sliding:30d',
)
const measure = fc.constantFrom<Limit['measure']>(
  'turns',
  'turns',
  'tokens',
  'inputTokens',
  'outputTokens',
  'cost',
  'toolCalls',
  'concurrent',
)
const maxOf = (measured: Limit['measure']): fc.Arbitrary<number | string | null> => {
  if (measured === 'cost')
    return fc.option(fc.constantFrom('0', '0.0004', '0.001', '0.01', '0.05', '20000000'), { freq: 9 })
  const largest = measured === 'turns' || measured === 'toolCalls' ? 6 : measured === 'concurrent' ? 3 : 1_500
  return fc.option(fc.integer({ min: 0, max: largest }), { freq: 9 })
}

const limitNamed = (name: fc.Arbitrary<string>): fc.Arbitrary<Limit> =>
  fc.tuple(measure, window).chain(([measured, length]) =>
    fc.record({
      name,
      measure: fc.constant(measured),
      max: maxOf(measured),
      window: fc.constant(measured === 'concurrent' ? undefined : length),
      weekStart:
        length === 'week' && measured !== 'concurrent'
          ? maybe(fc.constantFrom('monday', 'sunday'))
          : fc.constant(undefined),
      models: maybe(fc.constantFrom(['openai/*'], ['*/mini', 'anthropic/o*s'], ['local/free'])),
      mode: fc.constantFrom<Limit['mode']>(undefined, 'enforce', 'observe'),
      alertAt: fc.constantFrom<readonly number[] | undefined>(undefined, [1, 0.5], [0.8], [1.2]),
      onLimit: fc.constantFrom<Limit['onLimit']>(
        undefined,
        'refuse',
        { model: 'mini' },
        { provider: 'local', model: 'free' },
      ),
    }),
  )

const limitsNamed = (...names: string[]): fc.Arbitrary<Limit[]> =>
  fc.uniqueArray(limitNamed(fc.constantFrom(...names)), { maxLength: names.length, selector: ({ name }) => name })

const daily = fc.record<Limit>({
  name: fc.constant('daily'),
  measure: fc.constant('turns'),
  max: maxOf('turns'),
  window: fc.constantFrom('day', 'rolling24h'),
})

const config: fc.Arbitrary<ReferenceConfig> = fc.record({
  dailyCap: fc.constantFrom(0, 0, 3, 8),
  window: fc.constantFrom<'day' | 'rolling24h'>('day', 'rolling24h'),
  limits: limitsNamed('a', 'b', 'c'),
  plans: fc.record({
    pro: fc.record({ limits: limitsNamed('a', 'd') }),
    team: fc.record({ extends: fc.constant('pro'), limits: fc.oneof(limitsNamed('b', 'e'), fc.tuple(daily)) }),
  }),
  plan: fc.constantFrom(undefined, undefined, 'pro'),
  timeZone: fc.constantFrom('UTC', 'America/New_York', 'Asia/Kolkata'),
  prices: fc.constant(PRICES),
})

interface Operation {
  readonly type: string
  readonly [field: string]: unknown
}

const names = fc.constantFrom('daily', 'a', 'b', 'c', 'd', 'e')
const index = fc.nat(40)
const tokens = fc.constantFrom(0, 1, 30, 200, 700)
const model = fc.option(fc.constantFrom(...MODELS), { freq: 6 })
const estimate = fc.record({
  inputTokens: tokens,
  outputTokens: tokens,
  cost: fc.option(fc.constantFrom(0n, 400_000n, 9_007_199_254_740_993n), { nil: undefined, freq: 1 }),
})
const leaseMs = fc.constantFrom(MINUTE_MS, 15 * MINUTE_MS)

const OPERATIONS: readonly fc.WeightedArbitrary<Operation>[] = [
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('admit'),
      weight: fc.constantFrom(1, 1, 1, 0, 2, 4),
      model,
      estimate,
      leaseMs,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('settle'),
      index,
      spending: fc.record({
        inputTokens: tokens,
        outputTokens: tokens,
        cachedTokens: fc.constantFrom(0, 20),
        toolCalls: fc.nat(2),
        cost: fc.option(fc.constantFrom(0n, 300_000n, 9_007_199_254_740_993n), { nil: undefined, freq: 1 }),
      }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('refund'), index }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('move'), index, model: fc.constantFrom(...MODELS), estimate, leaseMs }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('renew'), index, leaseMs }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('advance'),
      ms: fc.oneof(
        fc.constantFrom(0, 1_000, 30_000, MINUTE_MS, HOUR_MS, 5 * HOUR_MS, DAY_MS, 3 * DAY_MS, 9 * DAY_MS, 40 * DAY_MS),
        fc.integer({ min: 1, max: 2 * DAY_MS }),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('plan'), plan: fc.constantFrom(null, 'pro', 'team') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('setLimit'),
      name: names,
      max: fc.constantFrom(null, 'default', 0, 2, 300),
      untilMs: fc.constantFrom(null, HOUR_MS, 2 * DAY_MS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('setOwn'), name: names, max: fc.constantFrom(null, 0, 1, 2, 250) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reset'), name: names }) },
]
const ZONE: fc.WeightedArbitrary<Operation> = {
  weight: 2,
  arbitrary: fc.record({
    type: fc.constant('zone'),
    zone: fc.constantFrom(
      'Asia/Tokyo',
      'America/New_York',
      'Pacific/Kiritimati',
      'Pacific/Pago_Pago',
      'Australia/Lord_Howe',
      'America/Sao_Paulo',
      null,
    ),
  }),
}
const CLOCK: fc.WeightedArbitrary<Operation> = {
  weight: 3,
  arbitrary: fc.record({
    type: fc.constant('clock'),
    skewMs: fc.constantFrom(
      0,
      0,
      0,
      3_653 * DAY_MS,
      3_653 * DAY_MS,
      3 * DAY_MS,
      60 * HOUR_MS,
      20 * HOUR_MS,
      -HOUR_MS,
      -30 * HOUR_MS,
      -5 * DAY_MS,
      -40 * DAY_MS,
    ),
  }),
}

/** Starts shortly before a clock change, a month's end, or a missing date. */
const start = fc.constantFrom(
  '2026-03-08T05:30:00Z',
  '2026-10-31T20:10:00Z',
  '2026-11-29T20:00:00Z',
  '2026-02-27T23:59:59Z',
)

/** Both, and the true time beside the clock that they see. */
class Pair {
  readonly engine: Engine
  readonly reference: ReferenceLimits
  #time: number
  #skewMs = 0
  #zoneChangedAt = 0
  #nextId = 0

  constructor(chosen: ReferenceConfig, time: number) {
    this.engine = new Engine(chosen)
    this.reference = new ReferenceLimits(chosen)
    this.#time = time
    this.#setTime(0, 0)
  }

  run(operation: Operation): void {
    this.engine.facts = []
    this.reference.facts = []
    this.#apply(operation)
    assert.deepEqual(this.engine.facts, this.reference.facts, 'events')
    // Reads do not store that the clock came back; the next decision does.
    if (this.reference.gap === undefined) assert.deepEqual(this.#states(), this.#expectedStates(), 'limits')
  }

  /** The clock does not return to before a change of zone: the day that it counts from is then unknown. */
  #setTime(passedMs: number, skewMs: number): void {
    const now = this.#time + passedMs + skewMs
    if (now + 2 * DAY_MS < this.#zoneChangedAt) return
    this.#time += passedMs
    this.#skewMs = skewMs
    this.engine.now = this.reference.now = now
  }

  #apply(operation: Operation): void {
    if (operation.type === 'advance') this.#setTime(operation.ms as number, this.#skewMs)
    else if (operation.type === 'clock') this.#setTime(0, operation.skewMs as number)
    else if (operation.type === 'zone') this.#changeZone(operation.zone as string | null)
    else if (operation.type === 'admit') this.#admit(operation)
    else if (operation.type === 'settle') this.#settle(operation)
    else if (operation.type === 'refund') this.#refund(operation)
    else if (operation.type === 'move') this.#move(operation)
    else if (operation.type === 'renew') this.#renew(operation)
    else if (operation.type === 'plan') this.#changePlan(operation.plan as string | null)
    else if (operation.type === 'setLimit') this.#setLimit(operation)
    else if (operation.type === 'setOwn') this.#setOwn(operation)
    else this.#reset(operation)
  }

  #admit({ weight, model: asked, estimate: expected, leaseMs: lease }: Operation): void {
    const request = {
      id: `t${this.#nextId++}`,
      weight: weight as number,
      model: asked as string | null,
      leaseMs: lease as number,
    }
    const outcome = decideAdmission(
      this.engine.context,
      { ...request, estimate: toEstimate(expected as Spending) },
      this.engine.usage,
    )
    this.engine.store(outcome.usage, outcome.events)
    if (outcome.allowed) this.engine.tickets.set(request.id, outcome.ticket)
    assert.deepEqual(comparable(outcome), this.reference.admit({ ...request, estimate: expected as Spending }))
  }

  /** An admission whose ticket was not settled or refunded yet, if there is one. */
  #ticket({ index: at }: Operation): { id: string; ticket: LimitTicket } | undefined {
    const ids = [...this.engine.tickets.keys()]
    const id = ids[(at as number) % Math.max(1, ids.length)]
    const ticket = id === undefined ? undefined : this.engine.tickets.get(id)
    return id === undefined || ticket === undefined ? undefined : { id, ticket }
  }

  #referenceAdmission(id: string): ReferenceLimits['admissions'][number] {
    return this.reference.admissions.find((admission) => admission.id === id) ?? assert.fail('It was not admitted.')
  }

  #settle(operation: Operation): void {
    const chosen = this.#ticket(operation)
    if (chosen === undefined) return
    const spending = operation.spending as Spending
    const { usage, events } = settleUsage(
      this.engine.context,
      { ticket: chosen.ticket, settlement: { ...spending, cost: toCost(spending.cost) } },
      this.engine.usage,
    )
    this.engine.store(usage, events)
    this.engine.tickets.delete(chosen.id)
    this.reference.settle(this.#referenceAdmission(chosen.id), spending)
  }

  #refund(operation: Operation): void {
    const chosen = this.#ticket(operation)
    if (chosen === undefined) return
    const { usage, events } = refundUsage(this.engine.context, chosen.ticket, this.engine.usage)
    this.engine.store(usage, events)
    this.engine.tickets.delete(chosen.id)
    this.reference.refund(this.#referenceAdmission(chosen.id))
  }

  #move(operation: Operation): void {
    const chosen = this.#ticket(operation)
    if (chosen === undefined) return
    const { model: other, estimate: expected, leaseMs: lease } = operation
    const request = { model: other as string, leaseMs: lease as number }
    const moved = moveAdmission(
      this.engine.context,
      { ticket: chosen.ticket, request: { ...request, estimate: toEstimate(expected as Spending) } },
      this.engine.usage,
    )
    this.engine.store(moved.usage, moved.events)
    if (moved.allowed) this.engine.tickets.set(chosen.id, moved.ticket)
    const { weight } = chosen.ticket
    const admission = this.#referenceAdmission(chosen.id)
    assert.deepEqual(
      comparable(moved),
      this.reference.move(admission, { ...request, id: chosen.id, weight, estimate: expected as Spending }),
    )
  }

  #renew(operation: Operation): void {
    const chosen = this.#ticket(operation)
    if (chosen === undefined) return
    const lease = operation.leaseMs as number
    const renewed = renewHolds(this.engine.usage, { ids: new Set([chosen.id]), at: this.engine.at, leaseMs: lease })
    this.engine.store(renewed, [])
    this.reference.renew([chosen.id], lease)
  }

  /** Not while the clock is wrong: the zone counts from a day that the clock then denies. */
  #changeZone(zone: string | null): void {
    const { engine, reference } = this
    if (this.#skewMs !== 0 || reference.now < (reference.seenAt ?? 0) || zone === reference.zone) return
    engine.zone = changeZone(engine.context.zone, zone, engine.usage.seenAt)
    reference.zone = zone
    this.#zoneChangedAt = reference.now
  }

  #changePlan(plan: string | null): void {
    this.engine.store(undefined, changePlan(this.engine.context, { plan, by }))
    this.reference.plan = plan
  }

  #setLimit({ name, max, untilMs }: Operation): void {
    const { engine, reference } = this
    const rule = reference.rules().find((candidate) => candidate.name === name)
    const at = engine.at
    const until = untilMs === null || max === 'default' ? null : at + (untilMs as number)
    const command = {
      name,
      max: rule?.measure === 'cost' && typeof max === 'number' ? String(max / 100) : max,
      until,
      by,
    }
    const change = (): readonly NewEvent[] => changeLimit({ ...engine.context, at }, command)
    if (rule === undefined) {
      assert.throws(change, { code: 'limit_unknown' })
      return
    }
    engine.store(undefined, change())
    if (max === 'default') reference.overrides.delete(rule.name)
    else
      reference.overrides.set(rule.name, { max: toUnits(rule.measure, command.max as number | string | null), until })
  }

  #setOwn({ name, max }: Operation): void {
    const { engine, reference } = this
    const rule = reference.rules().find((candidate) => candidate.name === name)
    if (rule === undefined) return
    const chosen =
      rule.measure === 'cost' && typeof max === 'number' ? String(max / 100) : (max as number | string | null)
    const change = (): readonly NewEvent[] =>
      changeOwnLimit({ ...engine.context, at: engine.at }, { name, max: chosen, by })
    const units = toUnits(rule.measure, chosen)
    if (units !== null && rule.ceiling !== null && units > rule.ceiling) {
      assert.throws(change, { code: 'limit_invalid' })
      return
    }
    engine.store(undefined, change())
    reference.setOwn(rule.name, units)
  }

  #reset({ name }: Operation): void {
    const { engine, reference } = this
    if (!reference.rules().some((candidate) => candidate.name === name)) return
    const reset = resetLimitUsage(engine.context, { name, by }, engine.usage)
    if (reset !== undefined) engine.store(reset.usage, reset.events)
    reference.reset(name as string)
  }

  #states(): unknown {
    return limitStates(this.engine.context, this.engine.usage).map(
      ({ name, used, held, max, remaining, resetAt, origin, ceiling, pending, until }) => ({
        name,
        used,
        held,
        max,
        remaining,
        resetAt,
        origin,
        ceiling,
        pending,
        until,
      }),
    )
  }

  #expectedStates(): unknown {
    const { reference } = this
    return reference.rules().map((rule) => {
      const { used, held, resetAt } = reference.standing(rule)
      const text = (amount: bigint | null): number | string | null => toText(rule.measure, amount)
      const rest = rule.most === null ? null : rule.most - used - held
      return {
        name: rule.name,
        used: text(used),
        held: text(held),
        max: text(rule.most),
        remaining: text(rest === null ? null : rest < 0n ? 0n : rest),
        resetAt: rule.most === null || resetAt === null ? null : new Date(resetAt).toISOString(),
        origin: rule.origin,
        ceiling: text(rule.ceiling),
        pending: rule.pending === null ? null : { ...rule.pending, max: text(rule.pending.max) },
        until: rule.until,
      }
    })
  }
}

function toText(measured: Limit['measure'], amount: bigint | null): number | string | null {
  if (amount === null) return null
  return measured === 'cost' ? formatMoney(toAmount(amount)) : Number(amount)
}

function toCost(cost: bigint | undefined): Amount | undefined {
  return cost === undefined ? undefined : toAmount(cost)
}

function toEstimate({ inputTokens, outputTokens, cost }: Spending): {
  inputTokens: number
  outputTokens: number
  cost?: Amount | undefined
} {
  return { inputTokens, outputTokens, cost: toCost(cost) }
}

function comparable(outcome: ReturnType<typeof decideAdmission>): unknown {
  if (outcome.allowed) {
    const { model: effective, downgradedBy } = outcome.ticket
    return { allowed: true, model: effective, downgradedBy }
  }
  const { rule, used, resetAt } = outcome
  return { allowed: false, rule: rule.name, used: BigInt(used), resetAt }
}

function check(operations: readonly fc.WeightedArbitrary<Operation>[], numRuns: number): void {
  fc.assert(
    fc.property(
      config,
      start,
      fc.array(fc.oneof(...operations), { minLength: 8, maxLength: 40 }),
      (chosen, first, sequence) => {
        const pair = new Pair(chosen, Date.parse(first))
        for (const operation of sequence) pair.run(operation)
      },
    ),
    { numRuns, seed },
  )
}

describe('limits behave like the reference model', () => {
  printSeed('limits model')
  const [full, share] = [100_000, 400]
  it(`in ${rounds(full / 2, share)} sequences with zone changes`, () =>
    check([...OPERATIONS, ZONE], rounds(full / 2, share)))
  it(`in ${rounds(full / 2, share)} sequences with clocks that are ahead or set back, and zone changes`, () =>
    check([...OPERATIONS, ZONE, CLOCK], rounds(full / 2, share)))
})
