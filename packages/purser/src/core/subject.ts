import { PurserError } from '../errors.ts'

/** A user of an application. Every key in the store, in memory and in a cache begins with these two fields. */
export interface Subject {
  readonly namespace: string
  readonly id: string
}

export const USER_ID_MAX_BYTES = 256

/**
 * Validates a user id. Control characters are rejected, because they forge log lines and truncate text in tools; so are
 * `.` and `..`, which change the meaning of a URL. Everything else is used byte for byte: without trimming, case folding
 * or Unicode normalization. Throws `user_id_invalid`.
 */
export function createSubject(namespace: string, id: unknown): Subject {
  const fault = findFault(id)
  if (fault !== undefined) {
    throw new PurserError('user_id_invalid', `The user id ${fault}.`, {
      hint: `Pass your application's id of the user: 1 to ${USER_ID_MAX_BYTES} bytes of text without control characters.`,
    })
  }
  const subject = { namespace, id: id as string }
  return Object.freeze(Object.defineProperty(subject, KEY, { value: keyOf(subject) }))
}

/** The key of a subject that many calls use is not made for each of them. It is no part of the value. */
const KEY: unique symbol = Symbol('key')

function findFault(id: unknown): string | undefined {
  if (typeof id !== 'string') return `is ${id === null ? 'null' : typeof id}, not text`
  if (id === '') return 'is empty'
  if (id === '.' || id === '..') return `is '${id}', which changes the meaning of a path`
  if (!id.isWellFormed()) return 'is not well-formed Unicode'
  if (Buffer.byteLength(id) > USER_ID_MAX_BYTES) return `is longer than ${USER_ID_MAX_BYTES} bytes`
  if (/\p{Cc}/u.test(id)) return 'contains control characters'
  return undefined
}

/** A unique text for each subject, for maps in memory. */
export function subjectKey(subject: Subject & { readonly [KEY]?: string }): string {
  return subject[KEY] ?? keyOf(subject)
}

/** The length of the namespace comes first, so that no namespace can be confused with the start of an id. */
function keyOf({ namespace, id }: Subject): string {
  return `${namespace.length}:${namespace}${id}`
}
