import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type { NewEvent } from '../journal/event.ts'
import type { AuditOptions, UserLedger } from './api.ts'
import { AUDIT_OPTIONS, auditedWrite, parseAudit, parseAuditOptions } from './audit.ts'
import { type Bond, bondOf } from './bond.ts'
import { zoneName } from './calendar.ts'
import { block, changeCap, changeZone, correct, unblock } from './decide/moderation.ts'
import type { LedgerDeps } from './deps.ts'
import { label } from './detection.ts'
import type { LedgerView } from './quota.ts'
import { writeAndRetain } from './retention.ts'
import { instantOf, onlyKnown, reasonOf, refuse, wholeNumber } from './validate-arguments.ts'

type Changes = Pick<UserLedger, 'setDailyCap' | 'block' | 'unblock' | 'correct' | 'setTimeZone'>

/** What people do to a user. All give the bond as it is afterwards. */
export function createModeration(house: LedgerDeps, user: Subject): Changes {
  const { rules } = house
  const change = (
    by: AuditOptions,
    what: { readonly call: string; readonly body: unknown },
    decide: (view: LedgerView) => readonly NewEvent[],
  ): Promise<Bond> => {
    const decision = (view: LedgerView) => ({
      events: decide(view),
      result: (after: { readonly view: LedgerView }): Bond => bondOf(rules, user.id, after.view),
    })
    return writeAndRetain(house, user, auditedWrite<Bond>(by, what, decision))
  }

  return {
    async setDailyCap(cap, given) {
      const by = parseAuditOptions(given, 'setDailyCap')
      if (cap !== null) wholeNumber(cap, { name: 'cap', least: 0, most: Number.MAX_SAFE_INTEGER, code: 'cap_invalid' })
      return change(by, { call: 'cap', body: cap }, (view) => changeCap(rules, { cap, by }, view))
    },

    async block(given) {
      validateOptions('block', given, [...AUDIT_OPTIONS, 'until'])
      const by = { ...parseAudit(given), reason: reasonOf(given?.reason) }
      const until = given.until === undefined || given.until === null ? null : instantOf(given.until, { name: 'until' })
      return change(by, { call: 'block', body: until }, (view) => block({ until, by }, view))
    },

    async unblock(given) {
      const by = parseAuditOptions(given, 'unblock')
      return change(by, { call: 'unblock', body: null }, (view) => unblock(by, view))
    },

    async correct(fields, given) {
      onlyKnown(fields, ['phase', 'riskLevel'], { what: 'a correction', code: 'argument_invalid' })
      validateOptions('correct', given, AUDIT_OPTIONS)
      const by = { ...parseAudit(given), reason: reasonOf(given?.reason) }
      const { phase, riskLevel } = fields
      if (phase === undefined && riskLevel === undefined)
        refuse(
          'argument_invalid',
          'A correction needs a phase or a riskLevel.',
          "For instance correct({ phase: 'warm' }, by).",
        )
      const command = {
        by,
        ...(phase === undefined ? {} : { phase: label(phase, 'phase', rules.phases) }),
        ...(riskLevel === undefined ? {} : { riskLevel: label(riskLevel, 'riskLevel', rules.riskLevels) }),
      }
      return change(by, { call: 'correct', body: { phase: phase ?? null, riskLevel: riskLevel ?? null } }, (view) =>
        correct(rules, command, view),
      )
    },

    async setTimeZone(zone, given = {}) {
      validateOptions('setTimeZone', given, AUDIT_OPTIONS)
      const name = zone === null ? null : zoneName(zone)
      const by = parseAudit({ ...given, actor: given.actor ?? 'app' })
      return change(by, { call: 'zone', body: name }, (view) => changeZone(rules, { zone: name, by }, view))
    },
  }
}
