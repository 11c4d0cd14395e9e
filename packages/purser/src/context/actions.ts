import { withSignal } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type { JournalPort, RecordReader } from '../journal/api.ts'
import type { RecordWrite } from '../storage/commit.ts'
import { readInstant } from './instants.ts'
import {
  ACTION,
  type Action,
  type ActionInput,
  type Actions,
  MAX_ACTION_BYTES,
  MAX_ACTIONS,
  MAX_ACTIONS_PER_CALL,
  type RecordOptions,
} from './records.ts'
import { onlyKnown, refuse } from './validate-arguments.ts'

export interface ActionsDeps {
  readonly journal: JournalPort
  readonly reader: RecordReader
  readonly effects: Effects
  /** A number that grows with each call, so that records of one instant keep their order. */
  ordinal(): number
  /** Called when the stored actions may have changed. */
  changed(user: Subject): void
}

const FIELDS = ['action', 'at', 'label', 'sublabel', 'created_date', 'zeroshot_label', 'gpt3_label']
const DEFAULT_LIST = 50
const MAX_KEY_BYTES = 256

export function createActions(user: Subject, house: ActionsDeps): Actions {
  const { journal, reader, effects, changed } = house

  async function record(given: ActionInput, options?: RecordOptions): Promise<Action>
  async function record(given: readonly ActionInput[], options?: RecordOptions): Promise<readonly Action[]>
  async function record(
    given: ActionInput | readonly ActionInput[],
    options: RecordOptions = {},
  ): Promise<Action | readonly Action[]> {
    validateOptions('record', options, ['idempotencyKey', 'onReplay'])
    const list = Array.isArray(given) ? given : [given as ActionInput]
    if (list.length > MAX_ACTIONS_PER_CALL)
      refuse(
        `record takes at most ${MAX_ACTIONS_PER_CALL.toLocaleString('en')} actions at once.`,
        'actions',
        'Call it several times.',
      )
    const now = effects.now()
    const actions = understood(list, now)
    const recordedAt =
      actions.length === 0 ? now : await withSignal(write(actions, list, { now, ...options }), options.signal)
    // What was recorded earlier under the same key is answered as it was understood then.
    const answer = recordedAt === now ? actions : understood(list, recordedAt)
    return Array.isArray(given) ? answer : (answer[0] as Action)
  }

  /** Resolves to when these actions were recorded. */
  async function write(
    actions: readonly Action[],
    list: readonly ActionInput[],
    { now, idempotencyKey, onReplay }: RecordOptions & { readonly now: number },
  ): Promise<number> {
    // More than stay would only be written to be trimmed.
    const records = actions
      .map((action): RecordWrite => ({ kind: ACTION, name: nameOf(action, house), value: JSON.stringify(action) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(-MAX_ACTIONS)
    try {
      return await journal.write<number>(user, {
        idempotency: idempotencyKey === undefined ? undefined : { key: `actions:${keyOf(idempotencyKey)}`, body: list },
        decide: () => ({ records, trims: [{ kind: ACTION, keep: MAX_ACTIONS }], result: () => now }),
        replay(kept) {
          onReplay?.()
          return kept
        },
      })
    } finally {
      // Also after a failure: the commit may have gone through and only its answer been lost.
      changed(user)
    }
  }

  return {
    record,
    async list(options = {}) {
      validateOptions('list', options, ['limit'])
      const { limit = DEFAULT_LIST } = options
      if (!Number.isSafeInteger(limit) || limit < 0 || limit > MAX_ACTIONS)
        refuse(`limit must be a whole number from 0 to ${MAX_ACTIONS.toLocaleString('en')}.`, 'limit')
      if (limit === 0) return []
      const rows = reader.records(user, ACTION, { limit, order: 'descending' })
      const stored = await withSignal(rows, options.signal)
      return stored.map((row) => JSON.parse(row.value) as Action)
    },
  }
}

function understood(list: readonly ActionInput[], now: number): Action[] {
  return list.map((input) => readInput(input, now))
}

function keyOf(key: unknown): string {
  if (typeof key === 'string' && key !== '' && key.isWellFormed() && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key
  return refuse(`idempotencyKey must be text of 1 to ${MAX_KEY_BYTES} bytes.`, 'idempotencyKey')
}

function readInput(given: ActionInput, now: number): Action {
  onlyKnown(given, FIELDS, 'an action')
  const row = given as ActionInput & Record<string, unknown>
  const at = instantOf(row.at ?? row.created_date ?? now)
  const label = row.label ?? row.zeroshot_label
  const sublabel = row.sublabel ?? row.gpt3_label
  return {
    action: textOf(row.action, 'action'),
    at: new Date(at).toISOString(),
    ...(label === undefined || label === null ? {} : { label: textOf(label, 'label') }),
    ...(sublabel === undefined || sublabel === null ? {} : { sublabel: textOf(sublabel, 'sublabel') }),
  }
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= MAX_ACTION_BYTES)
    return value
  return refuse(`${name} must be text of 1 to ${MAX_ACTION_BYTES.toLocaleString('en')} bytes.`, name)
}

function instantOf(value: unknown): number {
  const isDate = value instanceof Date && !Number.isNaN(value.getTime())
  const instant = readInstant(isDate ? value.toISOString() : value)
  if (instant !== null) return instant
  return refuse(
    'at must be a date of the years 1 to 9999, as ISO 8601 text or epoch milliseconds.',
    'at',
    "For instance '2026-01-31T12:00:00Z'; leave it out for now.",
  )
}

/** Names sort by the date of the action, then by the order of recording; two processes never make the same. */
function nameOf({ at }: Action, { ordinal, effects }: ActionsDeps): string {
  const sinceYearOne = Date.parse(at) - Date.parse('0001-01-01T00:00:00Z')
  const order = String(ordinal()).padStart(12, '0')
  return `${String(sinceYearOne).padStart(15, '0')}-${order}-${effects.randomId().slice(0, 8)}`
}
