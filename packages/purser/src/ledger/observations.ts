import { publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { parseJsonObject, parseOptionalActor, parseText, throwInvalid, validateOptions } from '../core/validate.ts'
import type { Event, NewEvent } from '../journal/event.ts'
import type { RecordOptions, UserLedger } from './api.ts'
import { type ObserveResult, observe } from './decide/observation.ts'
import type { LedgerDeps } from './deps.ts'
import { DATA_MAX_BYTES, parseDetection } from './detection.ts'
import { writeAndRetain } from './retention.ts'
import { IDEMPOTENCY_OPTIONS, idempotentWrite } from './write-options.ts'

/** What the application and its detectors report about a user. */
export function createObservations(deps: LedgerDeps, user: Subject): Pick<UserLedger, 'observe' | 'record'> {
  const { rules } = deps
  return {
    async observe(input, options = {}) {
      validateOptions('observe', options, ['peaks', ...IDEMPOTENCY_OPTIONS])
      const detection = parseDetection(rules, input, options.peaks)
      const result = await writeAndRetain<ObserveResult>(deps, user, {
        ...idempotentWrite<ObserveResult>(options, {
          call: 'observe',
          body: detection,
          replay: (stored) => ({ ...stored, outcome: 'replayed' }),
        }),
        decide: (view) => observe(rules, { user: user.id, detection }, view),
      })
      publish('activity', { namespace: user.namespace, user: user.id })
      return result
    },

    async record(type, options = {}) {
      validateOptions('record', options, ['detail', 'data', 'actor', ...IDEMPOTENCY_OPTIONS])
      const event = parseAppEvent(type, options)
      return writeAndRetain<Event>(deps, user, {
        ...idempotentWrite<Event>(options, { call: 'record', body: event }),
        decide: () => ({ events: [event], result: ({ events }) => events[0] as Event }),
      })
    },
  }
}

const TYPE_MAX_BYTES = 128
const DETAIL_MAX_BYTES = 4_096
const APP_TYPE = /^[a-z0-9][a-z0-9._-]*:[a-z0-9][a-z0-9._:/-]*$/i
const code = 'event_invalid'

/** Validates an event of the application. Its type names a vendor, so it cannot equal a type of the ledger. */
function parseAppEvent(type: unknown, { detail, data, actor }: RecordOptions): NewEvent {
  const name = parseText(type, { name: 'type', maxBytes: TYPE_MAX_BYTES, code })
  if (!APP_TYPE.test(name) || name.toLowerCase().startsWith('purser:'))
    throwInvalid(`'${name}' is not a valid type for an application event.`, {
      name: 'type',
      code,
      hint: "Use 'vendor:name', such as 'acme:notice_shown'.",
    })
  return {
    type: name,
    detail:
      detail === undefined || detail === ''
        ? ''
        : parseText(detail, { name: 'detail', maxBytes: DETAIL_MAX_BYTES, code }),
    data: data === undefined ? {} : parseJsonObject(data, { name: 'data', maxBytes: DATA_MAX_BYTES, code }),
    actor: parseOptionalActor(actor),
  }
}
