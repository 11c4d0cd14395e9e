import { type ErrorCode, PurserError } from 'purser'
import { ApiError, ConflictError, NotFoundError, UsageError } from './errors.ts'

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  found: 6,
  unreachable: 7,
  interrupted: 130,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What a failed command prints and exits with. */
export interface Failure {
  readonly exitCode: ExitCode
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
}

const EXIT_BY_STATUS: Readonly<Record<number, ExitCode>> = {
  0: EXIT.unreachable,
  400: EXIT.usage,
  401: EXIT.notAllowed,
  403: EXIT.notAllowed,
  404: EXIT.notFound,
  409: EXIT.conflict,
  412: EXIT.conflict,
  422: EXIT.conflict,
  503: EXIT.unreachable,
}

const EXIT_BY_CODE: { readonly [code in ErrorCode]?: ExitCode } = {
  option_unknown: EXIT.usage,
  option_invalid: EXIT.usage,
  argument_invalid: EXIT.usage,
  user_id_invalid: EXIT.usage,
  version_conflict: EXIT.conflict,
  secret_key_wrong: EXIT.notAllowed,
  store_unavailable: EXIT.unreachable,
  store_incomplete: EXIT.unreachable,
  store_newer: EXIT.unreachable,
  store_unsafe: EXIT.unreachable,
}

export function toFailure(error: unknown): Failure {
  if (error instanceof ApiError) {
    const { status, code, message, hint } = error
    return { exitCode: EXIT_BY_STATUS[status] ?? EXIT.failed, code, message, hint }
  }
  if (PurserError.is(error)) {
    const { code, message, hint } = error
    return { exitCode: EXIT_BY_CODE[code] ?? EXIT.failed, code, message, hint }
  }
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) return { exitCode: EXIT.usage, code: 'usage', message, hint: undefined }
  if (error instanceof NotFoundError) return { exitCode: EXIT.notFound, code: 'not_found', message, hint: undefined }
  if (error instanceof ConflictError) return { exitCode: EXIT.conflict, code: 'conflict', message, hint: undefined }
  if ((error as Error | undefined)?.name === 'AbortError') {
    return { exitCode: EXIT.interrupted, code: 'interrupted', message: 'Interrupted.', hint: undefined }
  }
  const isPortInUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const hint = isPortInUse ? 'Choose another port; --port 0 takes any free one.' : undefined
  return { exitCode: EXIT.failed, code: 'failed', message, hint }
}
