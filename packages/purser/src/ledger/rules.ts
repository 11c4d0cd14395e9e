import { parseText, type Rule, throwInvalid } from '../core/validate.ts'
import { type ClockHistory, NO_HISTORY } from '../core/wall-clock.ts'
import { suggestion } from '../errors.ts'
import type { LedgerOptions } from '../options.ts'
import type { WindowPolicy } from './window.ts'

/** The rules of a namespace: the ledger options with the default labels resolved. */
export interface LedgerRules extends WindowPolicy {
  /** The cap of users without their own; 0 is unlimited. */
  readonly dailyCap: number
  /** The declared phases; undefined where any text is accepted. */
  readonly phases: readonly string[] | undefined
  readonly riskLevels: readonly string[] | undefined
  /** How many events of a user are retained; null is all of them. */
  readonly keepEvents: number | null
  readonly defaults: DefaultLabels
  /** What this process has seen of its wall clock. */
  readonly clock: ClockHistory
}

/** The labels of users for whom no event has set them. */
export interface DefaultLabels {
  readonly phase: string
  readonly riskLevel: string
  readonly archetype: string
  readonly eggStatus: string
}

export function rulesOf(options: LedgerOptions, timeZone: string, clock: ClockHistory = NO_HISTORY): LedgerRules {
  const { dailyCap, window, phases, riskLevels, keepEvents } = options
  const defaults: DefaultLabels = {
    phase: phases?.[0] ?? 'dormant',
    riskLevel: riskLevels?.[0] ?? 'low',
    archetype: 'unknown',
    eggStatus: 'none',
  }
  return { dailyCap, window, phases, riskLevels, keepEvents, timeZone, defaults, clock }
}

/** Checks a label; it must be one of the declared ones where the application has declared any. */
export function parseLabel(
  value: unknown,
  declared: readonly string[] | undefined,
  rule: Rule & { readonly maxBytes: number },
): string {
  const label = parseText(value, rule)
  if (declared === undefined || declared.includes(label)) return label
  const hint = `${suggestion(label, declared)} Valid values: ${declared.join(', ')}.`.trimStart()
  return throwInvalid(`'${label}' is not a declared ${rule.name}.`, { ...rule, hint })
}
