import type { NewEvent } from '../../journal/event.ts'
import { DATA_MAX_BYTES } from '../detection.ts'
import { jsonObject, optionalText, refuse, text } from '../validate-arguments.ts'

const TYPE_MAX_BYTES = 128
const DETAIL_MAX_BYTES = 4_096
const code = 'event_invalid'

/** Checks an event of the application's own. Its type names a vendor, so that it can never pass for one of ours. */
export function appEvent(
  type: unknown,
  { detail, data, actor }: { readonly detail?: unknown; readonly data?: unknown; readonly actor: string },
): NewEvent {
  const name = text(type, { name: 'type', maxBytes: TYPE_MAX_BYTES, code })
  if (!/^[a-z0-9][a-z0-9._-]*:[a-z0-9][a-z0-9._:/-]*$/i.test(name) || name.toLowerCase().startsWith('purser:'))
    refuse(
      code,
      `'${name}' is not the type of an application's event.`,
      "Name it 'vendor:name', such as 'acme:notice_shown'.",
      'type',
    )
  return {
    type: name,
    detail: detail === '' ? '' : (optionalText(detail, { name: 'detail', maxBytes: DETAIL_MAX_BYTES, code }) ?? ''),
    data: data === undefined ? {} : jsonObject(data, { name: 'data', maxBytes: DATA_MAX_BYTES, code }),
    actor,
  }
}
