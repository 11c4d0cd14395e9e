import { PurserError } from 'purser'
import { ApiError } from './errors.ts'

/** The result for one user of an export file. */
export interface UserReport {
  readonly user: string
  /** Whether the user existed already; nothing was changed then. */
  readonly exists: boolean
  /** Number of imported rows by kind. */
  readonly taken: Readonly<Record<string, number>>
  /** Rows that cannot be imported from an export. */
  readonly left: readonly { readonly what: string; readonly count: number; readonly why: string }[]
  /** Rows that this installation rejected. */
  readonly refused: readonly { readonly line: number; readonly message: string }[]
}

/** Rows that are imported together. */
export interface ImportedRows {
  /** Line of the file. */
  readonly line: number
  readonly what: string
  /** Default: 1. */
  readonly count?: number
}

const SKIP_REASONS: Readonly<Record<string, string>> = {
  secret: 'Secrets are not exported; set them again.',
  mcp_authorization: 'Tokens are not exported; the user must authorize the server again.',
  session: 'A pinned session depends on settings that are not exported.',
  limit: 'A limit of the person is theirs to set again.',
  counter:
    'Not imported: windows that are over, limits that are not configured here, tokens that no limit counts, and with --url all use.',
  answer: 'Answers are exported without their questions and could not be looked up.',
  event: 'Events are imported only when the store is opened directly: run this without --url.',
  turn: 'Records of turns are imported only when the store is opened directly: run this without --url.',
  usage: 'Sums of usage are imported only when the store is opened directly: run this without --url.',
}
const UNKNOWN_KIND = 'This version does not know this kind of row.'
const MAX_REFUSALS = 100
/** Error responses that concern the rows; any other error ends the import. */
const ROW_ERROR_STATUSES = [400, 404, 409, 413, 422]

/** Counts what is imported, skipped and refused for one user. */
export class ImportReport {
  readonly #taken: Record<string, number> = {}
  readonly #skipped = new Map<string, number>()
  readonly #refused: { line: number; message: string }[] = []

  /** Reports an error that concerns the rows; rethrows any other. */
  async attempt({ line, what, count = 1 }: ImportedRows, send: () => Promise<unknown>): Promise<void> {
    try {
      await send()
      this.take(what, count)
    } catch (error) {
      if (!isRowError(error)) throw error
      if (this.#refused.length < MAX_REFUSALS) this.#refused.push({ line, message: error.message })
    }
  }

  take(what: string, count: number): void {
    if (count > 0) this.#taken[what] = (this.#taken[what] ?? 0) + count
  }

  skip(what: string, count = 1): void {
    if (count > 0) this.#skipped.set(what, (this.#skipped.get(what) ?? 0) + count)
  }

  build(user: string, exists: boolean): UserReport {
    const left = [...this.#skipped].map(([what, count]) => ({ what, count, why: SKIP_REASONS[what] ?? UNKNOWN_KIND }))
    return { user, exists, taken: this.#taken, left, refused: this.#refused }
  }
}

function isRowError(error: unknown): error is Error {
  if (error instanceof ApiError) return ROW_ERROR_STATUSES.includes(error.status)
  return PurserError.is(error, 'event_invalid') || PurserError.is(error, 'argument_invalid')
}
