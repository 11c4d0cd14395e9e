import type { Subject } from '../core/subject.ts'
import { throwInvalid } from '../core/validate.ts'
import { decideCorrected } from './decide/clock-correction.ts'
import type { LedgerDeps } from './deps.ts'
import { type ExportedUse, parseUseRow } from './limits/exported-use.ts'
import type { EffectiveRule } from './limits/policy.ts'
import { REACHED, UsageDraft } from './limits/usage-draft.ts'
import { limitContextOf } from './quota.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerView } from './state.ts'

type ImportDeps = Pick<LedgerDeps, 'journal' | 'rules'>

/** Rows of one call, which are one commit. */
const MAX_ROWS = 500

/**
 * Raises the use under limits to that of an export, so that a user who moves is not allowed everything again, nor alerted
 * again. Rows of windows that are over, and of limits that the user does not have here, are left out. Importing the same
 * rows again adds nothing.
 *
 * @returns the number of rows that count now
 */
export async function importUse(
  { journal, rules }: ImportDeps,
  user: Subject,
  values: readonly unknown[],
): Promise<number> {
  if (values.length > MAX_ROWS) throwInvalid(`At most ${MAX_ROWS} rows can be imported at a time.`)
  const rows = values.map(parseUseRow).filter((row) => row !== undefined)
  return journal.write<number>(user, {
    isAudited: false,
    decide(view) {
      if (!view.exists) throwInvalid(`The user '${user.id}' does not exist.`)
      const { decided, changes } = decideCorrected(rules, view, (current) => restoreUse(rules, rows, current))
      return { ...changes, result: () => decided.restored }
    },
  })
}

function restoreUse(
  rules: LedgerRules,
  rows: readonly ExportedUse[],
  view: LedgerView,
): Pick<UsageDraft, 'events'> & {
  readonly usage: ReturnType<UsageDraft['toChangedUsage']>
  readonly restored: number
} {
  const { policy, limits, now, zone } = limitContextOf(rules, view)
  const draft = new UsageDraft(view.usage, now, zone)
  const effective = policy.rulesOf(limits, draft.clock.at)
  let restored = 0
  for (const row of rows) {
    const rule = effective.find(({ name, counts }) => name === row.limit && counts === row.counts)
    if (rule !== undefined && restoreRow(draft, rule, row)) restored++
  }
  return { usage: draft.toChangedUsage(), events: draft.events, restored }
}

function restoreRow(draft: UsageDraft, rule: EffectiveRule, row: ExportedUse): boolean {
  const { window, alertAt } = rule
  const known = [REACHED, ...alertAt.map(String)]
  const use = { ...row, reported: row.reported.filter((key) => known.includes(key)) }
  return window.restore(draft.useOf(rule), use, draft.clock)
}
