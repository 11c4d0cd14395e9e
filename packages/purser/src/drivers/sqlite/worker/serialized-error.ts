import { PurserError } from '../../../errors.ts'
import { toStoreError } from '../errors.ts'

/** An error in a form that can be cloned between threads. */
export interface SerializedError {
  readonly message: string
  /** Of a `PurserError`. */
  readonly code?: PurserError['code'] | undefined
  readonly hint?: string | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** Of an error of SQLite. */
  readonly errcode?: number | undefined
}

export function serializeError(error: unknown): SerializedError {
  const { message } = error instanceof Error ? error : new Error(String(error))
  if (!PurserError.is(error)) return { message, errcode: errcodeOf(error) }
  return { message, code: error.code, hint: error.hint, details: error.details, errcode: errcodeOf(error.cause) }
}

function errcodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
}

/** `path`: of the database of the thread. */
export function deserializeError({ code, message, hint, details, errcode }: SerializedError, path: string): unknown {
  const cause = Object.assign(new Error(message), errcode === undefined ? {} : { errcode })
  if (code === undefined) return toStoreError(cause, path)
  // A thread opens its file during a call, whose caller must not learn where the file is.
  return new PurserError(code, message.replaceAll(` ${path}`, ''), { hint, cause, details })
}
