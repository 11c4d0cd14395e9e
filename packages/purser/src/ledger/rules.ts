import { parseText, type Rule, throwInvalid } from '../core/validate.ts'
import { type ClockHistory, NO_HISTORY } from '../core/wall-clock.ts'
import { suggestion } from '../errors.ts'
import type { HoldOptions, KeepTurnsOptions, LedgerOptions, ModelPrice, PlanConfig } from '../options.ts'
import { createLimitPolicy, type LimitPolicy, type PolicyOptions } from './limits/policy.ts'
import { createPrices, type Prices } from './limits/prices.ts'

/** The options that the rules are made of. */
export interface LedgerRulesOptions {
  readonly ledger: LedgerOptions
  readonly plans?: Readonly<Record<string, PlanConfig>>
  readonly prices?: Readonly<Record<string, ModelPrice>>
  /** The zone of users without their own. */
  readonly timeZone: string
  /** Default: a process that has seen no jump. */
  readonly clock?: ClockHistory
}

/** The rules of a namespace, compiled once. */
export interface LedgerRules {
  /** Limits and plans. */
  readonly policy: LimitPolicy
  readonly prices: Prices
  readonly hold: HoldOptions
  readonly onStoreFailure: LedgerOptions['onStoreFailure']
  /** The window of `daily` where no plan sets another one. */
  readonly window: 'day' | 'rolling24h'
  /** The zone of users without their own. */
  readonly timeZone: string
  /** The declared phases; undefined where any text is accepted. */
  readonly phases: readonly string[] | undefined
  readonly riskLevels: readonly string[] | undefined
  /** How many events of a user are retained; null is all of them. */
  readonly keepEvents: number | null
  readonly keepTurns: KeepTurnsOptions
  /** What the policy is made of. */
  readonly configured: PolicyOptions
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

/** Throws `option_invalid` for a limit, a plan or a price that is not valid. */
export function compileRules(options: LedgerRulesOptions): LedgerRules {
  const { ledger, plans = {}, prices: priceList = {}, timeZone, clock = NO_HISTORY } = options
  const { dailyCap, window, limits, plan, hold, onStoreFailure, phases, riskLevels, keepEvents, keepTurns } = ledger
  const defaults: DefaultLabels = {
    phase: phases?.[0] ?? 'dormant',
    riskLevel: riskLevels?.[0] ?? 'low',
    archetype: 'unknown',
    eggStatus: 'none',
  }
  const configured: PolicyOptions = { dailyCap, window, limits, plans, plan }
  const policy = createLimitPolicy(configured)
  const prices = createPrices(priceList)
  const labels = { phases, riskLevels, defaults }
  return { policy, prices, hold, onStoreFailure, window, keepEvents, keepTurns, configured, timeZone, clock, ...labels }
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
