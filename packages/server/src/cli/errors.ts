/** Invalid arguments of a command. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A file, store or user that a command needs does not exist. */
export class NotFoundError extends Error {
  override readonly name = 'NotFoundError'
}

/** A file or store already exists or is in use. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError'
}

/** An error response of the management API. The status is 0 when the server cannot be reached. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly hint: string | undefined

  constructor(status: number, body: { readonly code: string; readonly message: string; readonly hint?: string }) {
    super(body.message)
    this.status = status
    this.code = body.code
    this.hint = body.hint
  }
}
