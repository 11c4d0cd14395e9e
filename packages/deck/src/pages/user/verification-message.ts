import type { Verification } from '../../api/wire.ts'
import { plural } from '../../time/instants.ts'

/** What a check of the log found, in a sentence. */
export function verdictOf(verification: Verification): string {
  if (verification.ok) return `The log is whole: ${plural(verification.checked, 'event')} checked.`
  const { sequence, problem } = verification.firstBad
  const place = sequence === undefined ? '' : ` at event ${sequence}`
  return `The log is broken${place}: ${problem}`
}
