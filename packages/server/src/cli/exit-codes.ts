import { type ErrorCode, PurserError } from 'purser'
import { ConflictError, EXIT, type ExitCode, NotFoundError, UsageError } from './command.ts'
import { ApiProblem } from './connection.ts'

export interface Failure {
  readonly exitCode: ExitCode
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
}

const STATUS_EXITS: Readonly<Record<number, ExitCode>> = {
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

const CODE_EXITS: { readonly [code in ErrorCode]?: ExitCode } = {
  option_unknown: EXIT.usage,
  option_invalid: EXIT.usage,
  argument_invalid: EXIT.usage,
  user_id_invalid: EXIT.usage,
  version_conflict: EXIT.conflict,
  secret_key_wrong: EXIT.notAllowed,
  store_unavailable: EXIT.unreachable,
  store_newer: EXIT.unreachable,
  store_unsafe: EXIT.unreachable,
}

/** What a command that threw says and exits with. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ApiProblem) {
    const { status, code, message, hint } = error
    return { exitCode: STATUS_EXITS[status] ?? EXIT.failed, code, message, hint }
  }
  if (PurserError.is(error)) {
    return {
      exitCode: CODE_EXITS[error.code] ?? EXIT.failed,
      code: error.code,
      message: error.message,
      hint: error.hint,
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) return { exitCode: EXIT.usage, code: 'usage', message, hint: undefined }
  if (error instanceof NotFoundError) return { exitCode: EXIT.notFound, code: 'not_found', message, hint: undefined }
  if (error instanceof ConflictError) return { exitCode: EXIT.conflict, code: 'conflict', message, hint: undefined }
  if ((error as Error | undefined)?.name === 'AbortError') {
    return { exitCode: EXIT.interrupted, code: 'interrupted', message: 'Interrupted.', hint: undefined }
  }
  const hint =
    (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'Choose another port: --port 0 takes any.' : undefined
  return { exitCode: EXIT.failed, code: 'failed', message, hint }
}
