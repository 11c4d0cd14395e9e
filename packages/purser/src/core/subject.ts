import { PurserError } from '../errors.ts'

/** Whose data this is. Every key in the store, in memory and in a cache begins with these two. */
export interface Subject {
  readonly namespace: string
  readonly id: string
}

export const USER_ID_MAX_BYTES = 256

/**
 * Control characters are refused (they forge log lines and cut text in tools), and so are `.` and `..`
 * (they change the meaning of a URL). All else is kept byte for byte: no trimming, no case, no Unicode form.
 */
export function createSubject(namespace: string, id: unknown): Subject {
  const fault = faultOf(id)
  if (fault !== undefined) {
    throw new PurserError('user_id_invalid', `The user id ${fault}.`, {
      hint: `Give the id your application knows this person by: 1 to ${USER_ID_MAX_BYTES} bytes of text without control characters.`,
    })
  }
  return Object.freeze({ namespace, id: id as string })
}

function faultOf(id: unknown): string | undefined {
  if (typeof id !== 'string') return `is ${id === null ? 'null' : typeof id}, not text`
  if (id === '') return 'is empty'
  if (id === '.' || id === '..') return `is '${id}', which changes the meaning of a path`
  if (!id.isWellFormed()) return 'is not well-formed Unicode'
  if (Buffer.byteLength(id) > USER_ID_MAX_BYTES) return `is longer than ${USER_ID_MAX_BYTES} bytes`
  if (/\p{Cc}/u.test(id)) return 'holds control characters'
  return undefined
}

/** One string for one subject. It says where the namespace ends, so that it cannot bleed into the id. In memory only. */
export function subjectKey({ namespace, id }: Subject): string {
  return `${namespace.length}:${namespace}${id}`
}
