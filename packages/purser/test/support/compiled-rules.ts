import { compileRules, type LedgerRules, type LedgerRulesOptions } from '../../src/ledger/rules.ts'
import { DEFAULTS, type LedgerOptions } from '../../src/options.ts'

/** The rules of these options, in UTC. */
export function rulesWith(options: Partial<LedgerOptions> = {}, others: Partial<LedgerRulesOptions> = {}): LedgerRules {
  return compileRules({ timeZone: 'UTC', ...others, ledger: { ...DEFAULTS.ledger, ...options } })
}
