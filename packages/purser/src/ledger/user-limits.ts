import { withSignal } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import {
  parseInstant,
  parseOptionalActor,
  parseReason,
  parseText,
  throwInvalid,
  validateOptions,
} from '../core/validate.ts'
import type { UserLedger } from './api.ts'
import { type Bond, bondOf } from './bond.ts'
import { resetLimit, setLimit, setOwnLimit, setPlan } from './decide/limits.ts'
import type { LedgerDeps } from './deps.ts'
import type { LimitState } from './limits/limit-state.ts'
import { limitsAt } from './quota.ts'
import { writeAndRetain } from './retention.ts'
import { AUDIT_OPTIONS, auditedWrite, IDEMPOTENCY_OPTIONS, parseAudit, parseAuditOptions } from './write-options.ts'

type LimitCalls = Pick<UserLedger, 'limits' | 'setLimit' | 'setOwnLimit' | 'resetLimit' | 'setPlan'>

const NAME_MAX_BYTES = 64
const SELF = 'self'

/** The limits and the plan of one user. */
export function createLimits(deps: LedgerDeps, user: Subject): LimitCalls {
  const { rules, journal } = deps
  return {
    async limits(options = {}) {
      validateOptions('limits', options, [])
      return [...limitsAt(rules, await withSignal(journal.read(user), options.signal))]
    },

    async setLimit(limit, max, options) {
      validateOptions('setLimit', options, [...AUDIT_OPTIONS, 'until'])
      const { until: untilText, ...audit } = options
      const by = parseAudit(audit)
      const name = parseName(limit)
      const until = untilText === undefined || untilText === null ? null : parseInstant(untilText, { name: 'until' })
      const write = auditedWrite<LimitState>(by, { call: 'limit', body: { name, max, until } }, (view) =>
        setLimit(rules, { name, max, until, by }, view),
      )
      return writeAndRetain(deps, user, write)
    },

    async setOwnLimit(limit, max, options = {}) {
      validateOptions('setOwnLimit', options, ['actor', ...IDEMPOTENCY_OPTIONS])
      const { actor = SELF, ...others } = options
      const by = { ...others, actor: parseOptionalActor(actor) }
      const name = parseName(limit)
      const write = auditedWrite<LimitState>(by, { call: 'own_limit', body: { name, max } }, (view) =>
        setOwnLimit(rules, { name, max, by }, view),
      )
      return writeAndRetain(deps, user, write)
    },

    async resetLimit(limit, options) {
      validateOptions('resetLimit', options, AUDIT_OPTIONS)
      const by = { ...parseAudit(options), reason: parseReason(options.reason) }
      const name = parseName(limit)
      const write = auditedWrite<LimitState>(by, { call: 'limit_reset', body: name }, (view) =>
        resetLimit(rules, { name, by }, view),
      )
      return writeAndRetain(deps, user, write)
    },

    async setPlan(plan, options) {
      const by = parseAuditOptions(options, 'setPlan')
      if (plan !== null && typeof plan !== 'string')
        throwInvalid("'plan' must be the name of a plan, or null for the default.", {
          name: 'plan',
          code: 'plan_unknown',
          hint:
            rules.policy.plans.length === 0 ? 'No plans are configured.' : `Plans: ${rules.policy.plans.join(', ')}.`,
        })
      const write = auditedWrite<Bond>(by, { call: 'plan', body: plan }, (view) => ({
        events: setPlan(rules, { plan, by }, view),
        result: (after) => bondOf(rules, user.id, after.view),
      }))
      return writeAndRetain(deps, user, write)
    },
  }
}

function parseName(name: unknown): string {
  return parseText(name, { name: 'name', maxBytes: NAME_MAX_BYTES, hint: 'Pass the name of a limit of the user.' })
}
