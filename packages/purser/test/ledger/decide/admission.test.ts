import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type AdmissionOutcome,
  admit,
  claim,
  type Refused,
  refund,
  settle,
} from '../../../src/ledger/decide/admission.ts'
import { block, unblock } from '../../../src/ledger/decide/moderation.ts'
import type { Ticket } from '../../../src/ledger/tickets.ts'
import type { TurnFacts } from '../../../src/ledger/turns/turn-record.ts'
import type { Limit } from '../../../src/options.ts'
import { rulesWith } from '../../support/compiled-rules.ts'
import { admitting, type Decide, given } from '../../support/decide-spec.ts'

const by = { actor: 'ana', reason: 'test' }
const NOON = Date.parse('2026-03-10T12:00:00Z')
const HOUR_MS = 3_600_000
const NEXT_DAY = '2026-03-11T00:00:00.000Z'

const isAllowed = ({ allowed }: AdmissionOutcome): void => assert.equal(allowed, true)
const isRefused = ({ allowed }: AdmissionOutcome): void => assert.equal(allowed, false)

/** Checks some fields of a refusal. */
function refuses(expected: Partial<Refused>): (outcome: AdmissionOutcome) => void {
  return (outcome) => assert.deepEqual({ ...outcome, ...expected, allowed: false }, outcome)
}

describe('the cap', () => {
  const rules = rulesWith({ dailyCap: 2 })

  it('an admission below the cap is counted and gets a ticket', () => {
    const ticket = {
      id: 'id',
      incarnation: 1,
      at: NOON,
      weight: 1,
      model: null,
      downgradedBy: null,
      issuedAt: NOON,
      claimed: false,
    }
    given([])
      .when(admitting(rules))
      .then([])
      .thenResult({
        allowed: true,
        ticket,
        quota: { remaining: 1, cap: 2, count: 1, resetAt: NEXT_DAY },
        isHeld: false,
        observed: [],
      })
      .thenUsage({ daily: { '2026-03-10': 1 } })
  })

  it('an admission above the cap is refused until the reset (BL-26)', () => {
    given([])
      .after(admitting(rules), admitting(rules))
      .when(admitting(rules))
      .thenResult({
        allowed: false,
        reason: 'daily_cap',
        retryAfterMs: 12 * HOUR_MS,
        remaining: 0,
        cap: 2,
        count: 2,
        resetAt: NEXT_DAY,
      })
      .thenUsage({ daily: { '2026-03-10': 2 } })
  })

  it('a cap of 0 is unlimited, and admissions are counted all the same (BL-24)', () => {
    given([])
      .when(admitting(rulesWith({ dailyCap: 0 }), 5))
      .thenResult((outcome) => {
        assert.deepEqual(outcome.allowed && outcome.quota, { remaining: -1, cap: 0, count: 5, resetAt: null })
      })
  })

  it('a refusal costs nothing, and a smaller cost still fits', () => {
    const five = rulesWith({ dailyCap: 5 })
    const user = given([]).after(admitting(five, 4))
    user
      .when(admitting(five, 2))
      .thenResult(isRefused)
      .thenUsage({ daily: { '2026-03-10': 4 } })
    user.after(admitting(five, 2)).when(admitting(five, 1)).thenResult(isAllowed)
  })

  for (const window of ['day', 'rolling24h'] as const) {
    it(`a cost above the whole cap has no time to retry at (${window})`, () => {
      const three = rulesWith({ dailyCap: 3, window })
      for (const user of [given([]), given([]).after(admitting(three))])
        user.when(admitting(three, 5)).thenResult(refuses({ reason: 'daily_cap', retryAfterMs: null }))
    })
  }
})

describe('windows', () => {
  const rules = rulesWith({ dailyCap: 1 })
  const used = given([]).after(admitting(rules))

  it('a day begins at the end of the previous one (BL-25)', () => {
    used.at('2026-03-10T23:59:59.999Z').when(admitting(rules)).thenResult(isRefused)
    used.at(NEXT_DAY).when(admitting(rules)).thenResult(isAllowed)
  })

  it('a clock that is set back does not reopen a day (BL-D09)', () => {
    const usedTwice = used.at(NEXT_DAY).after(admitting(rules))
    usedTwice
      .at('2026-03-10T21:00:00Z')
      .when(admitting(rules))
      .thenResult(refuses({ resetAt: '2026-03-12T00:00:00.000Z' }))
    usedTwice.at('2026-03-08T21:00:00Z').when(admitting(rules)).thenResult(isRefused)
  })

  const rolling = rulesWith({ dailyCap: 3, window: 'rolling24h' })

  it('a rolling window frees usage 24 hours after the end of its minute', () => {
    const first = given([]).at('2026-03-10T12:00:30Z').after(admitting(rolling))
    const full = first.at('2026-03-10T13:00:30Z').after(admitting(rolling, 2))
    full.when(admitting(rolling)).thenResult(refuses({ resetAt: '2026-03-11T12:01:00.000Z' }))
    full.when(admitting(rolling, 2)).thenResult(refuses({ resetAt: '2026-03-11T13:01:00.000Z' }))
    full.at('2026-03-11T12:00:59.999Z').when(admitting(rolling)).thenResult(isRefused)
    const free = full.at('2026-03-11T12:01:00Z')
    free.when(admitting(rolling)).thenResult(isAllowed)
    free.after(admitting(rolling)).when(admitting(rolling)).thenResult(isRefused)
  })

  it('a clock that jumps ahead and is set back does not reopen a rolling window', () => {
    given([])
      .at('2026-03-11T18:00:30Z')
      .after(admitting(rolling, 3))
      .at('2026-03-10T12:00:30Z')
      .when(admitting(rolling))
      .thenResult(isRefused)
  })
})

describe('a block', () => {
  const rules = rulesWith({ dailyCap: 5 })
  const until = Date.parse('2026-03-10T13:00:00Z')

  it('refuses admissions until it ends by itself', () => {
    const user = given([]).after((view) => block({ until, by }, view))
    user.when(admitting(rules)).thenResult(refuses({ reason: 'blocked', retryAfterMs: HOUR_MS, cap: 5, remaining: 5 }))
    user.at('2026-03-10T13:00:00Z').when(admitting(rules)).thenResult(isAllowed)
  })

  it('without an end, refuses admissions until it is lifted', () => {
    const user = given([]).after((view) => block({ until: null, by }, view))
    user.when(admitting(rules)).thenResult(refuses({ reason: 'blocked', retryAfterMs: null }))
    user
      .after((view) => unblock(by, view))
      .when(admitting(rules))
      .thenResult(isAllowed)
  })
})

describe('tickets', () => {
  const rules = rulesWith({ dailyCap: 2 })
  const ticket: Ticket = {
    id: 'id',
    incarnation: 1,
    at: NOON,
    weight: 2,
    model: null,
    downgradedBy: null,
    issuedAt: NOON,
    claimed: false,
  }
  const settling: Decide<void> = (view) =>
    settle(rules, { ticket, settlement: { inputTokens: 7, outputTokens: 3 }, isShared: true }, view)
  const refunding: Decide<boolean> = (view) => refund(rules, { ticket, isShared: true }, view)
  const claiming: Decide<AdmissionOutcome> = (view) => claim(rules, ticket, view)
  const admitted = given([]).after(admitting(rules, 2))

  it('a refund goes to the window of its admission, once', () => {
    const nextDay = admitted.at(NEXT_DAY).after(admitting(rules, 2))
    nextDay
      .when(refunding)
      .thenResult(true)
      .thenUsage({ daily: { '2026-03-10': 0, '2026-03-11': 2 } })
    nextDay.after(refunding).when(refunding).thenResult(false)
    nextDay.after(refunding).when(admitting(rules)).thenResult(isRefused)
  })

  it('a refund in the running window makes the cost available again', () => {
    const user = admitted.after(refunding)
    user.when(admitting(rules, 2)).thenResult(isAllowed)
    user.after(admitting(rules, 2)).when(admitting(rules)).thenResult(isRefused)
  })

  it('tokens are counted in the window of the admission, also after midnight', () => {
    const withTokens = rulesWith({
      dailyCap: 2,
      limits: [{ name: 'tokens', measure: 'tokens', max: 100, window: 'day' }],
    })
    given([])
      .after(admitting(withTokens, 2))
      .at(NEXT_DAY)
      .after(admitting(withTokens))
      .when((view) =>
        settle(withTokens, { ticket, settlement: { inputTokens: 7, outputTokens: 3 }, isShared: true }, view),
      )
      .thenUsage({
        daily: { '2026-03-10': 2, '2026-03-11': 1 },
        tokens: { '2026-03-10': 10, '2026-03-11': 0 },
      })
  })

  const claimedAtAdmission: Decide<AdmissionOutcome> = (view) => claim(rules, { ...ticket, claimed: true }, view)
  const USED: readonly { name: string; after: readonly Decide<unknown>[]; when: Decide<unknown> }[] = [
    { name: 'settled twice', after: [settling], when: settling },
    { name: 'settled after a refund', after: [refunding], when: settling },
    { name: 'claimed twice', after: [claiming], when: claiming },
    { name: 'claimed after a refund', after: [refunding], when: claiming },
    { name: 'claimed after it was settled', after: [settling], when: claiming },
    { name: 'claimed although it was issued for a turn', after: [], when: claimedAtAdmission },
  ]
  for (const { name, after, when } of USED) {
    it(`a ticket cannot be ${name}`, () => {
      admitted
        .after(...after)
        .when(when)
        .thenThrows({ code: 'ticket_used' })
    })
  }

  it('a claimed ticket can be settled or refunded', () => {
    admitted.after(claiming).when(settling).thenResult(undefined)
    admitted.after(claiming).when(refunding).thenResult(true)
  })

  it('the claim of a blocked user is refused', () => {
    admitted
      .after((view) => block({ until: null, by }, view))
      .when(claiming)
      .thenResult(refuses({ reason: 'blocked', cap: 2, count: 2 }))
  })

  it('a ticket expires seven days after its admission', () => {
    for (const decide of [settling, refunding, claiming]) {
      admitted
        .at('2026-03-17T12:00:00Z')
        .when<unknown>(decide)
        .thenResult(() => {})
      admitted.at('2026-03-17T12:00:00.001Z').when<unknown>(decide).thenThrows({ code: 'ticket_invalid' })
    }
  })
})

const FACTS: TurnFacts = {
  id: 'turn-1',
  beganAt: NOON,
  endpoint: 'turn',
  session: null,
  provider: 'local',
  model: 'm',
  requestedModel: null,
  attempts: [],
  cache: 'hit',
  outcome: 'completed',
  code: null,
  limit: null,
  weight: 1,
  estimate: { inputTokens: 10, outputTokens: 10 },
  overheadMs: 1,
  firstChunkMs: 1,
  upstreamMs: 0,
  totalMs: 1,
  context: [],
  tools: [],
  requestId: null,
  prefix: null,
}

describe('a turn that ends with its admission', () => {
  const tokens: Limit = { name: 'tokens', measure: 'tokens', max: 100, window: 'day' }
  const rules = rulesWith({ dailyCap: 2, limits: [tokens] })

  function ending(incarnation: number, byRules = rules): Decide<AdmissionOutcome> {
    const { estimate } = FACTS
    const turn = { ticketId: 'id', weight: 1, claimed: true, model: 'local/m', estimate, leaseMs: 60_000 }
    return (view) => admit(byRules, { ...turn, end: { facts: FACTS, incarnation } }, view)
  }

  const isSettled =
    (expected: boolean) =>
    (outcome: AdmissionOutcome): void => {
      assert.ok(outcome.allowed)
      assert.deepEqual([outcome.isSettled === true, outcome.isHeld], [expected, !expected])
    }

  it('is settled, for nothing, and holds nothing', () => {
    given([])
      .when(ending(1))
      .then([])
      .thenResult(isSettled(true))
      .thenUsage({ daily: { '2026-03-10': 1 }, tokens: { '2026-03-10': 0 } })
  })

  it('counts like every other turn', () => {
    given([])
      .after(ending(1), ending(1))
      .when(ending(1))
      .thenResult(refuses({ reason: 'daily_cap', cap: 2, count: 2 }))
  })

  it('goes on if its answer belongs to another incarnation of the user', () => {
    given([]).when(ending(2)).thenResult(isSettled(false))
  })

  it('goes on if a limit sends it to another model', () => {
    const big: Limit = {
      name: 'big',
      measure: 'turns',
      max: 0,
      window: 'day',
      models: ['local/m'],
      onLimit: { model: 'n' },
    }
    given([])
      .when(ending(1, rulesWith({ dailyCap: 2, limits: [tokens, big] })))
      .thenResult(isSettled(false))
  })
})
