import type { Subject } from '../core/subject.ts'
import {
  parseInstant,
  parseInteger,
  parseOptionalActor,
  parseReason,
  throwInvalid,
  validateFields,
  validateOptions,
} from '../core/validate.ts'
import type { NewEvent } from '../journal/event.ts'
import type { AuditOptions, UserLedger } from './api.ts'
import { type Bond, bondOf } from './bond.ts'
import { parseTimeZone } from './calendar.ts'
import { block, changeCap, changeTimeZone, correct, unblock } from './decide/moderation.ts'
import type { LedgerDeps } from './deps.ts'
import { parsePhase, parseRiskLevel } from './detection.ts'
import { writeAndRetain } from './retention.ts'
import type { LedgerView } from './state.ts'
import { AUDIT_OPTIONS, auditedWrite, parseAudit, parseAuditOptions } from './write-options.ts'

type Moderation = Pick<UserLedger, 'setDailyCap' | 'block' | 'unblock' | 'correct' | 'setTimeZone'>

/** Actions of operators. Each returns the bond after the action. */
export function createModeration(deps: LedgerDeps, user: Subject): Moderation {
  const { rules } = deps

  function act(
    by: AuditOptions,
    call: { readonly call: string; readonly body: unknown },
    decide: (view: LedgerView) => readonly NewEvent[],
  ): Promise<Bond> {
    const write = auditedWrite<Bond>(by, call, (view) => ({
      events: decide(view),
      result: (after) => bondOf(rules, user.id, after.view),
    }))
    return writeAndRetain(deps, user, write)
  }

  return {
    async setDailyCap(cap, options) {
      const by = parseAuditOptions(options, 'setDailyCap')
      if (cap !== null) parseInteger(cap, { name: 'cap', min: 0, code: 'cap_invalid' })
      return act(by, { call: 'cap', body: cap }, (view) => changeCap(rules, { cap, by }, view))
    },

    async block(options) {
      validateOptions('block', options, [...AUDIT_OPTIONS, 'until'])
      const { until: untilText, ...audit } = options
      const by = { ...parseAudit(audit), reason: parseReason(options.reason) }
      const until = untilText === undefined || untilText === null ? null : parseInstant(untilText, { name: 'until' })
      return act(by, { call: 'block', body: until }, (view) => block({ until, by }, view))
    },

    async unblock(options) {
      const by = parseAuditOptions(options, 'unblock')
      return act(by, { call: 'unblock', body: null }, (view) => unblock(by, view))
    },

    async correct(fields, options) {
      validateFields(fields, ['phase', 'riskLevel'], { name: 'fields' })
      validateOptions('correct', options, AUDIT_OPTIONS)
      const by = { ...parseAudit(options), reason: parseReason(options.reason) }
      const { phase, riskLevel } = fields
      if (phase === undefined && riskLevel === undefined)
        throwInvalid("'fields' must contain a phase or a riskLevel.", {
          name: 'fields',
          hint: "Example: correct({ phase: 'warm' }, { actor: 'alice', reason: 'ticket 4711' }).",
        })
      const command = {
        by,
        ...(phase === undefined ? {} : { phase: parsePhase(rules, phase) }),
        ...(riskLevel === undefined ? {} : { riskLevel: parseRiskLevel(rules, riskLevel) }),
      }
      const body = { phase: phase ?? null, riskLevel: riskLevel ?? null }
      return act(by, { call: 'correct', body }, (view) => correct(rules, command, view))
    },

    async setTimeZone(zone, options = {}) {
      validateOptions('setTimeZone', options, AUDIT_OPTIONS)
      const name = zone === null ? null : parseTimeZone(zone)
      const by = parseAudit({ ...options, actor: parseOptionalActor(options.actor) })
      return act(by, { call: 'zone', body: name }, (view) => changeTimeZone(rules, { zone: name, by }, view))
    },
  }
}
