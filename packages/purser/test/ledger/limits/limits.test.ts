import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  decideAdmission,
  type LimitContext,
  type LimitOutcome,
  type LimitRequest,
  moveAdmission,
} from '../../../src/ledger/limits/admission.ts'
import { changeLimit, changeOwnLimit, changePlan, evolveLimits } from '../../../src/ledger/limits/changes.ts'
import { listCounters } from '../../../src/ledger/limits/counters.ts'
import { MAX_HOLDS, renewHolds } from '../../../src/ledger/limits/holds.ts'
import { type LimitState, limitStates } from '../../../src/ledger/limits/limit-state.ts'
import { changeZone } from '../../../src/ledger/limits/periods.ts'
import { createLimitPolicy, NO_USER_LIMITS, type PolicyOptions } from '../../../src/ledger/limits/policy.ts'
import { createPrices } from '../../../src/ledger/limits/prices.ts'
import { refundUsage, type Settlement, settleUsage } from '../../../src/ledger/limits/settlement.ts'
import { encodeUsage } from '../../../src/ledger/limits/stored-usage.ts'
import { NO_USAGE, type Usage } from '../../../src/ledger/limits/usage.ts'
import type { Limit, LimitWindow } from '../../../src/options.ts'

const by = { actor: 'ana' }
const DAY_MS = 86_400_000
const TEN_YEARS_MS = 3_653 * DAY_MS

/** One user whose decisions follow each other. */
class User {
  context: LimitContext
  usage: Usage = NO_USAGE
  events: string[] = []
  #nextId = 0

  constructor(options: Partial<PolicyOptions>) {
    const policy = createLimitPolicy({ dailyCap: 0, window: 'day', limits: [], plans: {}, plan: undefined, ...options })
    const prices = createPrices({
      'openai/gpt': { input: '2.5', output: '10' },
      'openai/mini': { input: '1', output: '1' },
    })
    const now = Date.parse('2026-03-10T12:00:00Z')
    this.context = { policy, prices, now, limits: NO_USER_LIMITS, zone: { state: null, timeZone: 'UTC' } }
  }

  advance(ms: number): void {
    this.context = { ...this.context, now: this.context.now + ms }
  }

  admit(request: Partial<LimitRequest> = {}): LimitOutcome {
    const outcome = decideAdmission(
      this.context,
      {
        id: `t${this.#nextId++}`,
        weight: 1,
        model: null,
        estimate: { inputTokens: 0, outputTokens: 0 },
        leaseMs: 60_000,
        ...request,
      },
      this.usage,
    )
    this.store(outcome)
    return outcome
  }

  settle(outcome: LimitOutcome, settlement: Partial<Settlement>): void {
    assert.ok(outcome.allowed)
    this.store(
      settleUsage(
        this.context,
        { ticket: outcome.ticket, settlement: { inputTokens: 0, outputTokens: 0, ...settlement } },
        this.usage,
      ),
    )
  }

  refund(outcome: LimitOutcome): void {
    assert.ok(outcome.allowed)
    this.store(refundUsage(this.context, outcome.ticket, this.usage))
  }

  change(events: readonly Parameters<typeof evolveLimits>[1][]): void {
    this.context = { ...this.context, limits: events.reduce(evolveLimits, this.context.limits) }
  }

  setOwn(name: string, max: unknown): void {
    this.change(changeOwnLimit({ ...this.context, at: this.context.now }, { name, max, by }))
  }

  store({ usage, events }: Pick<LimitOutcome, 'usage' | 'events'>): void {
    this.usage = usage ?? this.usage
    this.events.push(...events.map(({ type, detail }) => `${type} ${detail}`))
  }

  state(name: string): LimitState {
    return limitStates(this.context, this.usage).find((state) => state.name === name) ?? assert.fail(name)
  }
}

const tokens: Limit = { name: 'tokens', measure: 'tokens', max: 1_000, window: 'day' }

describe('a decision', () => {
  it('stores a counter of one window for a user with a daily cap only', () => {
    const user = new User({ dailyCap: 5 })
    user.admit()
    user.admit()
    const stored = encodeUsage(user.usage)
    assert.deepEqual(JSON.parse(stored), {
      v: 1,
      seenAt: user.context.now,
      counters: [
        { name: 'daily', of: 'turns day', windows: [{ name: '2026-03-10', from: user.context.now, used: 2 }] },
      ],
    })
    assert.ok(stored.length < 160)
  })

  it('names the first rule that refuses, and when all rules would let the turn pass', () => {
    const user = new User({
      dailyCap: 1,
      limits: [
        { name: 'hours', measure: 'turns', max: 1, window: '5h' },
        { name: 'week', measure: 'turns', max: 1, window: 'week' },
      ],
    })
    user.admit()
    const refused = user.admit()
    assert.ok(!refused.allowed)
    assert.equal(refused.rule.name, 'daily')
    assert.equal(new Date(refused.resetAt ?? 0).toISOString(), '2026-03-16T00:00:00.000Z')
    assert.deepEqual(
      user.events.map((event) => event.split(' ')[2]),
      ['daily', 'hours', 'week'],
    )
    user.admit()
    assert.equal(user.events.length, 3)
  })

  it('counts nothing when it refuses', () => {
    const user = new User({ limits: [{ name: 'one', measure: 'turns', max: 1, window: '1h' }, tokens] })
    user.admit()
    const usedNow = (): unknown =>
      listCounters(user.usage.counters).map(({ windows }) => windows?.map(({ used }) => used))
    const before = usedNow()
    user.admit()
    assert.deepEqual(usedNow(), before)
  })

  it('does not show rules with models a turn whose model is not known', () => {
    const user = new User({ limits: [{ name: 'gpt', measure: 'turns', max: 0, window: 'day', models: ['openai/*'] }] })
    assert.equal(user.admit().allowed, true)
    assert.equal(user.admit({ model: 'openai/gpt' }).allowed, false)
    assert.equal(user.admit({ model: 'local/gpt' }).allowed, true)
  })

  it('lets a turn pass under an observed rule, and reports once what it would refuse', () => {
    const user = new User({ limits: [{ name: 'trial', measure: 'turns', max: 1, window: 'day', mode: 'observe' }] })
    assert.deepEqual(
      [user.admit(), user.admit(), user.admit()].map(({ allowed }) => allowed),
      [true, true, true],
    )
    assert.deepEqual(user.events, ['limit_reached limit trial reached: 1 of 1 turns (observed)'])
  })
})

describe('holds', () => {
  it('add up, so that parallel turns do not pass the limit by their estimates', () => {
    const user = new User({ limits: [tokens] })
    const estimate = { inputTokens: 100, outputTokens: 300 }
    assert.deepEqual(
      [1, 2, 3].map(() => user.admit({ estimate }).allowed),
      [true, true, false],
    )
    assert.deepEqual([user.state('tokens').held, user.state('tokens').remaining], [800, 200])
  })

  it('are replaced by what was used, which counts in full', () => {
    const user = new User({ limits: [tokens] })
    const turn = user.admit({ estimate: { inputTokens: 100, outputTokens: 300 } })
    user.settle(turn, { inputTokens: 900, outputTokens: 900 })
    assert.deepEqual([user.state('tokens').used, user.state('tokens').held], [1_800, 0])
    assert.equal(user.admit().allowed, false)
  })

  it('lapse with their lease unless they are renewed, and a late settlement counts in full', () => {
    const user = new User({ limits: [{ name: 'slots', measure: 'concurrent', max: 1 }, tokens] })
    const turn = user.admit({ estimate: { inputTokens: 500, outputTokens: 0 } })
    user.advance(59_000)
    assert.equal(user.admit().allowed, false)
    user.usage = renewHolds(user.usage, { ids: new Set(['t0']), at: user.context.now, leaseMs: 60_000 }) ?? user.usage
    user.advance(59_000)
    assert.equal(user.admit().allowed, false)
    user.advance(1_000)
    assert.equal(user.admit().allowed, true)
    user.settle(turn, { inputTokens: 700 })
    assert.equal(user.state('tokens').used, 700)
  })

  it('are limited in number: further turns are refused, not admitted without a hold', () => {
    const user = new User({ limits: [{ ...tokens, max: 1_000_000 }] })
    const estimate = { inputTokens: 1, outputTokens: 0 }
    for (let count = 0; count < MAX_HOLDS; count++) assert.equal(user.admit({ estimate }).allowed, true)
    const refused = user.admit({ estimate })
    assert.equal(!refused.allowed && refused.resetAt, user.context.now + 1_000)
    user.advance(60_000)
    assert.equal(user.admit({ estimate }).allowed, true)
  })

  it('of steps need tokens, and neither turns nor slots', () => {
    const user = new User({ dailyCap: 1, limits: [{ name: 'slots', measure: 'concurrent', max: 1 }, tokens] })
    user.admit({ estimate: { inputTokens: 400, outputTokens: 0 } })
    assert.equal(user.admit({ weight: 0, estimate: { inputTokens: 600, outputTokens: 0 } }).allowed, true)
    assert.equal(user.admit({ weight: 0, estimate: { inputTokens: 1, outputTokens: 0 } }).allowed, false)
    assert.equal(user.state('daily').used, 1)
  })
})

describe('money', () => {
  const cost: Limit = { name: 'money', measure: 'cost', max: '0.01', window: 'month' }

  it('is held and counted at the price of the model, exactly', () => {
    const user = new User({ limits: [cost] })
    const turn = user.admit({ model: 'openai/gpt', estimate: { inputTokens: 1_000, outputTokens: 100 } })
    assert.equal(user.state('money').held, '0.0035')
    user.settle(turn, { inputTokens: 1_001, outputTokens: 1 })
    assert.deepEqual([user.state('money').used, user.state('money').remaining], ['0.0025125', '0.0074875'])
  })

  it('stays exact beyond 2^53 nano-units', () => {
    const user = new User({ limits: [{ ...cost, max: null }] })
    for (const amount of ['9007199254740993', '1']) user.settle(user.admit(), { cost: amount })
    assert.equal(user.state('money').used, '9007199.254740994')
  })

  it('of a model without a price counts as 0 and is flagged', () => {
    const user = new User({ limits: [cost] })
    const turn = user.admit({ model: 'local/free', estimate: { inputTokens: 10_000_000, outputTokens: 1 } })
    assert.ok(turn.allowed)
    const settlement = { inputTokens: 5, outputTokens: 5 }
    assert.equal(settleUsage(user.context, { ticket: turn.ticket, settlement }, user.usage).cost, null)
  })
})

describe('a downgrade', () => {
  const soft: Limit = { name: 'soft', measure: 'turns', max: 1, window: 'day', onLimit: { model: 'mini' } }

  it('continues with the other model, which the rule counts and does not refuse', () => {
    const user = new User({ limits: [soft] })
    user.admit({ model: 'openai/gpt' })
    const turn = user.admit({ model: 'openai/gpt' })
    assert.deepEqual(turn.allowed && [turn.ticket.model, turn.ticket.downgradedBy], ['openai/mini', 'soft'])
    assert.equal(user.state('soft').used, 2)
    const same = user.admit({ model: 'openai/mini' })
    assert.deepEqual(same.allowed && [same.ticket.model, same.ticket.downgradedBy], ['openai/mini', null])
  })

  it('is decided again under all other rules, once', () => {
    const mini: Limit = { ...soft, name: 'mini', models: ['*/mini'], onLimit: { provider: 'local', model: 'free' } }
    const user = new User({ limits: [soft, mini] })
    user.admit({ model: 'openai/gpt' })
    user.admit({ model: 'openai/gpt' })
    const refused = user.admit({ model: 'openai/gpt' })
    assert.equal(!refused.allowed && refused.rule.name, 'mini')
  })

  it('needs a known model, or a provider of its own', () => {
    const user = new User({ limits: [soft] })
    user.admit()
    assert.equal(user.admit().allowed, false)
  })
})

describe('a fallback', () => {
  it('moves the admission: a turn counts once, and the settlement goes to the other model', () => {
    const gpt: Limit = { name: 'gpt', measure: 'turns', max: 5, window: 'day', models: ['openai/gpt'] }
    const user = new User({ dailyCap: 5, limits: [gpt, { ...gpt, name: 'mini', models: ['openai/mini'], max: 1 }] })
    const turn = user.admit({ model: 'openai/gpt' })
    assert.ok(turn.allowed)
    const request = { model: 'openai/mini', estimate: { inputTokens: 0, outputTokens: 0 }, leaseMs: 1_000 }
    user.store(moveAdmission(user.context, { ticket: turn.ticket, request }, user.usage))
    assert.deepEqual(
      ['daily', 'gpt', 'mini'].map((name) => user.state(name).used),
      [1, 0, 1],
    )
    const next = user.admit({ model: 'openai/gpt' })
    assert.ok(next.allowed)
    const refused = moveAdmission(user.context, { ticket: next.ticket, request }, user.usage)
    assert.equal(!refused.allowed && refused.rule.name, 'mini')
    user.store(refused)
    assert.deepEqual(
      ['daily', 'gpt', 'mini'].map((name) => user.state(name).used),
      [2, 1, 1],
    )
  })
})

describe('thresholds', () => {
  it('are reported once a window, even if the use falls again', () => {
    const user = new User({ limits: [{ name: 'two', measure: 'turns', max: 2, window: 'day', alertAt: [0.5, 1] }] })
    const turn = user.admit()
    user.refund(turn)
    user.admit()
    user.admit()
    assert.deepEqual(user.events, [
      'limit_threshold limit two at 50 %: 1 of 2 turns',
      'limit_threshold limit two at 100 %: 2 of 2 turns',
    ])
    user.advance(DAY_MS)
    user.admit()
    assert.equal(user.events.length, 3)
  })
})

describe('clocks', () => {
  it('a clock that was ten years ahead for a second refuses no turn afterwards', () => {
    const windows: LimitWindow[] = ['day', 'week', 'month', '5h', 'sliding:1h', '30d']
    const limits = windows.map<Limit>((window) => ({
      name: `w-${window}`,
      measure: 'turns',
      max: 2,
      window,
    }))
    const user = new User({ dailyCap: 2, limits: [...limits, { name: 'slots', measure: 'concurrent', max: 1 }] })
    user.refund(user.admit())
    user.advance(TEN_YEARS_MS)
    user.admit()
    user.admit({ leaseMs: TEN_YEARS_MS })
    user.context = {
      ...user.context,
      zone: { state: changeZone(user.context.zone, 'Asia/Tokyo', user.usage.seenAt), timeZone: 'UTC' },
    }
    user.advance(-TEN_YEARS_MS + 1_000)
    user.events = []
    assert.equal(user.admit().allowed, true)
    assert.match(user.events[0] ?? '', /^window_dropped clock was ahead: 2036-/)
    const { resetAt } = user.state('daily')
    assert.ok(Date.parse(resetAt ?? '') < user.context.now + 2 * DAY_MS, String(resetAt))
  })

  it('a turn that a clock ahead has counted in a later day is given back to it, also after a change of zone', () => {
    const user = new User({ dailyCap: 5 })
    user.advance(-9 * 3_600_000)
    user.admit()
    user.advance(60 * 3_600_000)
    // The day of 12 March, which ends at 15:00 UTC in Tokyo, begins less than two days after the first turn.
    const ahead = user.admit()
    user.advance(-60 * 3_600_000)
    user.admit()
    const { state, timeZone } = user.context.zone
    const zone = changeZone({ state, timeZone }, 'Asia/Tokyo', user.usage.seenAt)
    user.context = { ...user.context, zone: { state: zone, timeZone } }
    user.refund(ahead)
    const later = listCounters(user.usage.counters)[0]?.windows?.find(({ from }) => from > user.context.now)
    assert.equal(later?.used, 0)
  })

  it('a refusal of a clock that is ahead leaves nothing behind that refuses later', () => {
    const user = new User({ dailyCap: 1 })
    user.change(changeLimit({ ...user.context, at: user.context.now }, { name: 'daily', max: 0, until: null, by }))
    user.advance(TEN_YEARS_MS)
    assert.equal(user.admit().allowed, false)
    user.advance(-TEN_YEARS_MS)
    user.change(changeLimit({ ...user.context, at: user.context.now }, { name: 'daily', max: 1, until: null, by }))
    for (let day = 0; day < 3; day++) {
      assert.equal(user.admit().allowed, true)
      assert.equal(user.admit().allowed, false)
      user.advance(DAY_MS)
    }
  })

  it('a clock that goes back gives nothing twice', () => {
    const windows: LimitWindow[] = ['day', 'week', 'month', '5h', '1d', 'sliding:7h', 'total']
    for (const window of windows) {
      const user = new User({ limits: [{ name: 'one', measure: 'turns', max: 1, window }] })
      user.admit()
      for (const backMs of [1_000, 3_600_000, DAY_MS, 3 * DAY_MS, 40 * DAY_MS]) {
        user.advance(-backMs)
        assert.equal(user.admit().allowed, false, `${window}, ${backMs} ms back`)
        user.advance(backMs)
        assert.equal(user.admit().allowed, false, window)
      }
    }
  })
})

describe("the person's own limit", () => {
  it('lowers at once, and is raised or removed from the next day on', () => {
    const user = new User({ limits: [tokens] })
    user.setOwn('tokens', 100)
    assert.deepEqual(
      [user.state('tokens').max, user.state('tokens').origin, user.state('tokens').ceiling],
      [100, 'self', 1_000],
    )
    user.setOwn('tokens', 500)
    assert.deepEqual(user.state('tokens').pending, { max: 500, at: '2026-03-11T00:00:00.000Z' })
    assert.equal(user.state('tokens').max, 100)
    user.advance(DAY_MS)
    assert.deepEqual([user.state('tokens').max, user.state('tokens').pending], [500, null])
    user.setOwn('tokens', null)
    assert.equal(user.state('tokens').max, 500)
    user.advance(DAY_MS)
    assert.deepEqual([user.state('tokens').max, user.state('tokens').origin], [1_000, 'default'])
  })

  it('is at most the ceiling, which an operator may lower', () => {
    const user = new User({ limits: [tokens] })
    assert.throws(() => user.setOwn('tokens', 1_001), { code: 'limit_invalid' })
    assert.throws(() => user.setOwn('token', 1), { code: 'limit_unknown', hint: "Did you mean 'tokens'?" })
    user.setOwn('tokens', 800)
    user.change(changeLimit({ ...user.context, at: user.context.now }, { name: 'tokens', max: 300, until: null, by }))
    assert.deepEqual([user.state('tokens').max, user.state('tokens').origin], [300, 'user'])
  })
})

describe('plans', () => {
  const plans = {
    free: { limits: [{ ...tokens, max: 100 }] },
    pro: { extends: 'free', limits: [{ name: 'daily', measure: 'turns', max: 9, window: 'day' } as Limit, tokens] },
    team: { extends: 'pro' },
  }

  it('replace rules by name, inherit, and apply at once without losing what was used', () => {
    const user = new User({ dailyCap: 1, plans, plan: 'free' })
    user.settle(user.admit(), { inputTokens: 90 })
    assert.deepEqual([user.state('tokens').max, user.state('tokens').origin], [100, 'plan:free'])
    assert.equal(user.admit().allowed, false)
    user.change(changePlan(user.context, { plan: 'team', by }))
    assert.deepEqual(
      limitStates(user.context, user.usage).map(({ name, max, used, origin }) => [name, max, used, origin]),
      [
        ['daily', 9, 1, 'plan:pro'],
        ['tokens', 1_000, 90, 'plan:pro'],
      ],
    )
    assert.throws(() => changePlan(user.context, { plan: 'tem', by }), {
      code: 'plan_unknown',
      hint: "Did you mean 'team'?",
    })
  })

  it('may begin the week on another day: the running week goes on with its use to the next start', () => {
    const week: Limit = { name: 'week', measure: 'turns', max: 2, window: 'week' }
    const user = new User({ limits: [week], plans: { us: { limits: [{ ...week, weekStart: 'sunday' }] } } })
    user.admit()
    user.change(changePlan(user.context, { plan: 'us', by }))
    user.admit()
    assert.deepEqual([user.state('week').used, user.state('week').resetAt], [2, '2026-03-15T00:00:00.000Z'])
    user.advance(5 * DAY_MS)
    user.admit()
    assert.deepEqual([user.state('week').used, user.state('week').resetAt], [1, '2026-03-22T00:00:00.000Z'])
  })

  it('that are no longer configured are the default one', () => {
    const user = new User({ plans, plan: 'free' })
    user.context = { ...user.context, limits: { ...NO_USER_LIMITS, plan: 'gone' } }
    assert.equal(user.state('tokens').max, 100)
  })
})
