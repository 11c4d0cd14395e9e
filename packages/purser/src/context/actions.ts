import { withSignal } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import {
  IDEMPOTENCY_KEY_MAX_BYTES,
  parseInteger,
  parseText,
  throwInvalid,
  validateFields,
  validateOptions,
} from '../core/validate.ts'
import type { JournalPort, RecordReader } from '../journal/api.ts'
import type { RecordWrite } from '../storage/commit.ts'
import { ACTION_FIELD_NAMES } from '../templates/action-templates.ts'
import { fieldOf, parseTimestamp } from './action-rows.ts'
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

export interface ActionsDeps {
  readonly journal: JournalPort
  readonly reader: RecordReader
  readonly effects: Effects
  /** A number that grows with each call, so that actions of one instant keep their order. */
  nextOrdinal(): number
  /** Called after each write, even after a failed one: the commit may have succeeded and only its reply been lost. */
  onWrite(): void
}

const FIELDS = Object.values(ACTION_FIELD_NAMES).flat()
const DEFAULT_LIMIT = 50

export function createActions(user: Subject, deps: ActionsDeps): Actions {
  const { journal, reader, effects, onWrite } = deps

  async function record(input: ActionInput, options?: RecordOptions): Promise<Action>
  async function record(inputs: readonly ActionInput[], options?: RecordOptions): Promise<readonly Action[]>
  async function record(
    input: ActionInput | readonly ActionInput[],
    options: RecordOptions = {},
  ): Promise<Action | readonly Action[]> {
    validateOptions('record', options, ['idempotencyKey', 'onReplay'])
    const inputs = Array.isArray(input) ? input : [input as ActionInput]
    if (inputs.length > MAX_ACTIONS_PER_CALL) {
      throwInvalid(`record takes at most ${MAX_ACTIONS_PER_CALL.toLocaleString('en')} actions at once.`, {
        name: 'actions',
        hint: 'Split the list into several calls.',
      })
    }
    const now = effects.now()
    const actions = parseActions(inputs, now)
    const recordedAt =
      actions.length === 0 ? now : await withSignal(write(actions, inputs, { now, ...options }), options.signal)
    // A replay returns what the first call returned: actions without a date got the date of that call.
    const recorded = recordedAt === now ? actions : parseActions(inputs, recordedAt)
    return Array.isArray(input) ? recorded : (recorded[0] as Action)
  }

  /** Resolves to the instant at which these actions were recorded. */
  async function write(
    actions: readonly Action[],
    inputs: readonly ActionInput[],
    { now, idempotencyKey, onReplay }: RecordOptions & { readonly now: number },
  ): Promise<number> {
    // More would be written and deleted in the same commit.
    const records = actions
      .map((action): RecordWrite => ({ kind: ACTION, name: createName(action, deps), value: JSON.stringify(action) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(-MAX_ACTIONS)
    const idempotency = idempotencyKey === undefined ? undefined : { key: parseKey(idempotencyKey), body: inputs }
    try {
      return await journal.write<number>(user, {
        idempotency,
        decide: () => ({ records, trims: [{ kind: ACTION, keep: MAX_ACTIONS }], result: () => now }),
        onReplay,
      })
    } finally {
      onWrite()
    }
  }

  return {
    record,
    async list(options = {}) {
      validateOptions('list', options, ['limit'])
      const limit =
        options.limit === undefined
          ? DEFAULT_LIMIT
          : parseInteger(options.limit, { name: 'limit', min: 0, max: MAX_ACTIONS })
      if (limit === 0) return []
      const rows = reader.records(user, ACTION, { limit, order: 'descending' })
      const stored = await withSignal(rows, options.signal)
      return stored.map((row) => JSON.parse(row.value) as Action)
    },
  }
}

function parseKey(key: unknown): string {
  return `actions:${parseText(key, { name: 'idempotencyKey', maxBytes: IDEMPOTENCY_KEY_MAX_BYTES })}`
}

/** `now`: the date of actions without one. */
function parseActions(inputs: readonly ActionInput[], now: number): Action[] {
  return inputs.map((input) => parseAction(input, now))
}

function parseAction(input: ActionInput, now: number): Action {
  validateFields(input, FIELDS, { name: 'action' })
  const row = input as ActionInput & Record<string, unknown>
  const at = parseDate(fieldOf(row, 'at') ?? now)
  const label = fieldOf(row, 'label')
  const sublabel = fieldOf(row, 'sublabel')
  return {
    action: parseName(row.action, 'action'),
    at: new Date(at).toISOString(),
    ...(label === undefined ? {} : { label: parseName(label, 'label') }),
    ...(sublabel === undefined ? {} : { sublabel: parseName(sublabel, 'sublabel') }),
  }
}

function parseName(value: unknown, field: string): string {
  return parseText(value, { name: field, maxBytes: MAX_ACTION_BYTES })
}

function parseDate(value: unknown): number {
  const isDate = value instanceof Date && !Number.isNaN(value.getTime())
  const instant = parseTimestamp(isDate ? value.toISOString() : value)
  if (instant !== null) return instant
  return throwInvalid("'at' must be a date of the years 1 to 9999, as ISO 8601 text or epoch milliseconds.", {
    name: 'at',
    hint: "Example: '2026-01-31T12:00:00Z'. Default: now.",
  })
}

/** Record names sort by the date of the action, then by the order of recording; they are unique across processes. */
function createName({ at }: Action, { nextOrdinal, effects }: ActionsDeps): string {
  const sinceYearOne = Date.parse(at) - Date.parse('0001-01-01T00:00:00Z')
  const ordinal = String(nextOrdinal()).padStart(12, '0')
  return `${String(sinceYearOne).padStart(15, '0')}-${ordinal}-${effects.randomId().slice(0, 8)}`
}
