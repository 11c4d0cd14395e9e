import { withSignal } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { parseOptionalActor, throwInvalid, validateOptions } from '../core/validate.ts'
import type { JournalPort } from '../journal/api.ts'
import type { ConsentOptions } from './api.ts'
import { CONSENT } from './records.ts'

/** Whether a person's context may be used, as stored; without a record it may. */
export interface StoredConsent {
  readonly enabled: boolean
  readonly actor: string
  /** ISO 8601, UTC. */
  readonly at: string
}

export interface ConsentDeps {
  readonly journal: JournalPort
  /** Called after each write, even after a failed one: the commit may have succeeded and only its reply been lost. */
  onWrite(): void
}

export function isEnabled(record: string | undefined): boolean {
  return record === undefined || (JSON.parse(record) as StoredConsent).enabled
}

export async function setEnabled(
  user: Subject,
  { enabled, ...options }: ConsentOptions & { readonly enabled: boolean },
  { journal, onWrite }: ConsentDeps,
): Promise<void> {
  validateOptions('setEnabled', options, ['actor'])
  const actor = parseOptionalActor(options.actor)
  if (typeof enabled !== 'boolean')
    throwInvalid("'enabled' must be true or false.", { name: 'enabled', hint: 'Example: setEnabled(false).' })
  await withSignal(write(), options.signal)

  async function write(): Promise<void> {
    try {
      await journal.write<void>(user, {
        reads: [{ kind: CONSENT, name: '' }],
        decide(view) {
          const result = (): void => undefined
          if (isEnabled(view.record(CONSENT, '')) === enabled) return { result }
          const consent: StoredConsent = { enabled, actor, at: new Date(view.now).toISOString() }
          return { records: [{ kind: CONSENT, name: '', value: JSON.stringify(consent) }], result }
        },
      })
    } finally {
      onWrite()
    }
  }
}
