import { withAbort, withSignal } from '../core/abort.ts'
import { mergePatch } from '../core/merge-patch.ts'
import type { Subject } from '../core/subject.ts'
import { isObject, throwInvalid, validateFieldCount, validateFunction, validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { JournalPort, RecordReader } from '../journal/api.ts'
import { MAX_PROFILE_BYTES, PROFILE, type Profile, type ProfileFields, type ProfileOptions } from './records.ts'

export interface ProfileDeps {
  readonly journal: JournalPort
  readonly reader: RecordReader
  /** Called after each write, even after a failed one: the commit may have succeeded and only its reply been lost. */
  onWrite(): void
}

const MAX_DEPTH = 32
const MAX_FIELDS = 256

export function createProfile(user: Subject, { journal, reader, onWrite }: ProfileDeps): Profile {
  type Change = (stored: ProfileFields) => ProfileFields

  async function change(call: string, options: ProfileOptions = {}, next: Change): Promise<ProfileFields> {
    validateOptions(call, options, ['when'])
    const { when = () => true, signal } = options
    validateFunction(when, { name: 'when', hint: 'It gets the stored profile and returns whether to write.' })
    const conditional: Change = (stored) => {
      if (when(structuredClone(stored))) return next(stored)
      throw new PurserError('version_conflict', 'The stored profile does not meet the condition of this write.', {
        hint: 'Read the profile again and decide anew.',
      })
    }
    return withSignal(write(conditional), signal)
  }

  async function write(next: Change): Promise<ProfileFields> {
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
      onWrite()
    }
  }

  return {
    async put(fields, options) {
      const profile = copyFields(fields)
      return change('put', options, () => profile)
    },
    async patch(fields, options) {
      const patch = copyFields(fields)
      return change('patch', options, (stored) => mergePatch(stored, patch))
    },
    async get(options) {
      const stored = await withAbort('get', options, () => reader.record(user, PROFILE, ''))
      return stored === undefined ? {} : (JSON.parse(stored) as ProfileFields)
    },
  }
}

/** A copy in JSON form, made at once, so that later changes of the caller's object have no effect. */
function copyFields(fields: ProfileFields): ProfileFields {
  if (!isObject(fields))
    throwInvalid('A profile must be an object.', { name: 'fields', hint: "Example: { name: 'Ada' }." })
  validateFieldCount(fields, MAX_FIELDS, { name: 'profile', hint: 'Put related fields into an object of their own.' })
  return JSON.parse(encode(fields)) as ProfileFields
}

function encode(fields: ProfileFields): string {
  const text = stringify(fields)
  if (text === undefined || !text.startsWith('{'))
    throwInvalid('A profile must be an object of JSON values.', { name: 'fields', hint: "Example: { name: 'Ada' }." })
  if (!text.isWellFormed()) throwInvalid('A profile must be well-formed text.', { name: 'fields' })
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_PROFILE_BYTES) {
    throwInvalid(
      `A profile has at most ${MAX_PROFILE_BYTES.toLocaleString('en')} bytes as JSON; this one would have ${bytes.toLocaleString('en')}.`,
      { name: 'fields', hint: 'Store long texts elsewhere and configure a section for them.' },
    )
  }
  return text
}

function stringify(fields: ProfileFields): string | undefined {
  let depth: number
  let text: string | undefined
  try {
    depth = depthOf(fields, 0)
    if (depth <= MAX_DEPTH) text = JSON.stringify(fields)
  } catch (error) {
    const hint = (error as Error | undefined)?.message
    return throwInvalid('A profile must be an object of JSON values.', { name: 'fields', hint })
  }
  if (depth > MAX_DEPTH)
    throwInvalid(`A profile has at most ${MAX_DEPTH} levels.`, { name: 'fields', hint: 'Use fewer levels.' })
  return text
}

function depthOf(value: unknown, above: number): number {
  if (typeof value !== 'object' || value === null || above > MAX_DEPTH) return above
  return Object.values(value).reduce<number>(
    (deepest, field) => Math.max(deepest, depthOf(field, above + 1)),
    above + 1,
  )
}
