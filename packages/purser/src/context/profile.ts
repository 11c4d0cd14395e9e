import { withAbort, withSignal } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { JournalPort, RecordReader } from '../journal/api.ts'
import { MAX_PROFILE_BYTES, PROFILE, type Profile, type ProfileFields, type ProfileOptions } from './records.ts'
import { isObject, refuse } from './validate-arguments.ts'

export interface ProfileDeps {
  readonly journal: JournalPort
  readonly reader: RecordReader
  /** Called when the stored profile may have changed. */
  changed(user: Subject): void
}

const MAX_DEPTH = 32

export function createProfile(user: Subject, { journal, reader, changed }: ProfileDeps): Profile {
  type Next = (present: ProfileFields) => ProfileFields

  async function change(call: string, options: ProfileOptions = {}, next: Next): Promise<ProfileFields> {
    validateOptions(call, options, ['when'])
    const { when = () => true, signal } = options
    if (typeof when !== 'function')
      refuse("'when' must be a function.", 'when', 'It is given the present profile and answers whether to go on.')
    const decided: Next = (present) => {
      if (when(structuredClone(present))) return next(present)
      throw new PurserError('version_conflict', 'The profile is not the one this was decided on.', {
        hint: 'Read it again and decide anew.',
      })
    }
    return withSignal(write(decided), signal)
  }

  async function write(next: Next): Promise<ProfileFields> {
    try {
      return await journal.write(user, {
        reads: [{ kind: PROFILE, name: '' }],
        decide(view) {
          const stored = view.record(PROFILE, '')
          const value = encode(next(stored === undefined ? {} : (JSON.parse(stored) as ProfileFields)))
          const fields = JSON.parse(value) as ProfileFields
          if (value === stored) return { result: () => fields }
          return { records: [{ kind: PROFILE, name: '', value }], result: () => fields }
        },
      })
    } finally {
      // Also after a failure: the commit may have gone through and only its answer been lost.
      changed(user)
    }
  }

  return {
    async put(fields, options) {
      const given = checked(fields)
      return change('put', options, () => given)
    },
    async patch(fields, options) {
      const given = checked(fields)
      return change('patch', options, (present) => merge(present, given))
    },
    async get(options) {
      const stored = await withAbort('get', options, () => reader.record(user, PROFILE, ''))
      return stored === undefined ? {} : (JSON.parse(stored) as ProfileFields)
    },
  }
}

/** A copy as JSON has it, taken now, so that a later change of the caller's object changes nothing. */
function checked(fields: ProfileFields): ProfileFields {
  if (!isObject(fields)) refuse('A profile must be an object.', 'fields', "For instance { name: 'Ada' }.")
  return JSON.parse(encode(fields)) as ProfileFields
}

function encode(fields: ProfileFields): string {
  const text = jsonOf(fields)
  const bytes = text === undefined ? 0 : Buffer.byteLength(text)
  if (text === undefined || !text.startsWith('{'))
    refuse('A profile must be an object of JSON values.', 'fields', "For instance { name: 'Ada' }.")
  if (!text.isWellFormed()) refuse('A profile must hold well-formed text.', 'fields')
  if (bytes > MAX_PROFILE_BYTES) {
    refuse(
      `A profile has at most ${MAX_PROFILE_BYTES.toLocaleString('en')} bytes as JSON; this one would have ${bytes.toLocaleString('en')}.`,
      'fields',
      'Keep long texts elsewhere and name them in a section of their own.',
    )
  }
  return text
}

function jsonOf(fields: ProfileFields): string | undefined {
  try {
    if (depthOf(fields, 0) > MAX_DEPTH)
      refuse(`A profile has at most ${MAX_DEPTH} levels.`, 'fields', 'Flatten it, or keep it elsewhere.')
    return JSON.stringify(fields)
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw error
    return refuse('A profile must be an object of JSON values.', 'fields', (error as Error)?.message)
  }
}

function depthOf(value: unknown, above: number): number {
  if (typeof value !== 'object' || value === null || above > MAX_DEPTH) return above
  return Object.values(value).reduce<number>(
    (deepest, field) => Math.max(deepest, depthOf(field, above + 1)),
    above + 1,
  )
}

/** RFC 7396. Fields are set as data, whatever their name, so `__proto__` is a field like any other. */
function merge(target: unknown, patch: ProfileFields): ProfileFields {
  const merged = new Map<string, unknown>(isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, isObject(value) ? merge(merged.get(name), value) : value)
  }
  return Object.fromEntries(merged)
}
