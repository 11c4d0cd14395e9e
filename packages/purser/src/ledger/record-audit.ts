import { createSubject, type Subject } from '../core/subject.ts'
import {
  parseActor,
  parseJsonObject,
  parseOptionalReason,
  parseText,
  throwInvalid,
  validateOptions,
} from '../core/validate.ts'
import { LOG_OF_NAMESPACE } from '../storage/commit.ts'
import type { RecordAuditOptions } from './api.ts'
import type { LedgerDeps } from './deps.ts'

const ACTION_MAX_BYTES = 64
const DETAIL_MAX_BYTES = 1_024
const DATA_MAX_BYTES = 16_384

/** Appends an `admin_action` to the log of a user, or to the namespace's own, which retention does not trim. */
export async function recordAudit(
  deps: LedgerDeps,
  namespace: string,
  action: string,
  options: RecordAuditOptions,
): Promise<void> {
  validateOptions('recordAudit', options, ['user', 'detail', 'data', 'actor', 'reason', 'origin'])
  const name = parseText(action, { name: 'action', maxBytes: ACTION_MAX_BYTES })
  if (!/^[a-z][a-z_]*$/.test(name)) {
    throwInvalid("'action' must be lowercase letters and underscores.", {
      name: 'action',
      hint: "Example: 'key_created'.",
    })
  }
  const { detail, data = {}, origin, signal } = options
  const event = {
    type: 'admin_action',
    detail: parseText(detail, { name: 'detail', maxBytes: DETAIL_MAX_BYTES }),
    data: {
      action: name,
      ...parseJsonObject(data, { name: 'data', maxBytes: DATA_MAX_BYTES }),
      ...(origin === undefined ? {} : { origin: parseText(origin, { name: 'origin', maxBytes: ACTION_MAX_BYTES }) }),
    },
    actor: parseActor(options.actor),
    reason: parseOptionalReason(options.reason),
  }
  const isOwnLog = options.user === undefined
  const log: Subject = isOwnLog ? { namespace, id: LOG_OF_NAMESPACE } : createSubject(namespace, options.user)
  await deps.journal.write<void>(log, {
    signal,
    decide: ({ exists }) => ({ events: isOwnLog || exists ? [event] : [], result: () => undefined }),
  })
}
