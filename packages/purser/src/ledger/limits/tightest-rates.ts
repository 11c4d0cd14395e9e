import type { RatedLimit } from '../../openai/rate-limit-headers.ts'
import { formatInstant } from '../calendar.ts'
import type { LimitContext } from './admission.ts'
import { type Amount, add, compare, subtract } from './amount.ts'
import type { EffectiveRule } from './policy.ts'
import type { Usage } from './usage.ts'
import { UsageDraft } from './usage-draft.ts'

/** The rule of which least remains. */
interface Least {
  readonly rule: EffectiveRule
  readonly max: Amount
  readonly remaining: Amount
}

/**
 * The enforced limits of turns and of tokens that count turns of a model and of which least remains, at most one of each:
 * what the rate headers show. Of equals the first.
 */
export function tightestRates(
  { policy, limits, now, zone }: Omit<LimitContext, 'prices'>,
  model: string | null,
  usage: Usage,
): readonly RatedLimit[] {
  const draft = new UsageDraft(usage, now, zone)
  let turns: Least | undefined
  let tokens: Least | undefined
  for (const rule of policy.rulesOf(limits, draft.clock.at)) {
    if (rule.mode !== 'enforce' || rule.max === null || !isRated(rule) || !rule.matches(model)) continue
    if (rule.measure === 'turns') turns = lesser(turns, { rule, max: rule.max }, draft)
    else tokens = lesser(tokens, { rule, max: rule.max }, draft)
  }
  return [turns, tokens].filter((least) => least !== undefined).map((least) => rateOf(least, draft))
}

function isRated({ measure }: EffectiveRule): boolean {
  return measure === 'turns' || measure === 'tokens' || measure === 'inputTokens' || measure === 'outputTokens'
}

function lesser(least: Least | undefined, { rule, max }: Omit<Least, 'remaining'>, draft: UsageDraft): Least {
  const use = draft.useOf(rule)
  const used = rule.window.usedIn(use, draft.clock)
  const remaining = subtract(max, add(used, draft.heldUnder(rule, use)))
  return least !== undefined && compare(least.remaining, remaining) <= 0 ? least : { rule, max, remaining }
}

function rateOf({ rule, max, remaining }: Least, draft: UsageDraft): RatedLimit {
  const resetAt = formatInstant(rule.window.resetAt(draft.useOf(rule), draft.clock))
  return { measure: rule.measure, mode: rule.mode, max, remaining, resetAt }
}
