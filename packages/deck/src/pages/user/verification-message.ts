import type { Verification } from '../../api/wire.ts'
import { pluralize } from '../../format-number.ts'

/** The result of a verification in one sentence. */
export function verificationMessage({ ok, checked, firstBad }: Verification): string {
  if (ok) return `The event log is intact: ${pluralize(checked, 'event')} checked.`
  const location = firstBad?.sequence === undefined ? '' : ` at event ${firstBad.sequence}`
  return `The event log is broken${location}: ${firstBad?.problem ?? 'unknown problem'}`
}
