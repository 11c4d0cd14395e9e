import { type Subject, subjectKey } from '../../core/subject.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import type { Commit } from '../../storage/commit.ts'
import type { Connection } from './connection.ts'
import { isRetryable } from './errors.ts'
import { commitOf } from './rows.ts'
import { encodeJson } from './text.ts'

/*
 * Group commit. Commits that are requested while a statement runs share the next one, and so the next flush to disk. A
 * batch is one transaction in the order of its users, so that batches of several processes cannot lock each other out.
 *
 * Most commits change nothing but the row of a user, as admissions do. A batch of them is one UPDATE, which takes a sixth of
 * the server's time of the function that writes everything.
 *
 * When a batch fails by the error of one commit, nothing of it was written: its commits are then run one by one, so that
 * only the one at fault is rejected.
 */

const MAX_PER_BATCH = 64
const MAX_PENDING = 100_000
/** Batches that run at once. With two, one is prepared while the other waits for the disk. */
const MAX_RUNNING = 2
const MAX_ATTEMPTS = 5

interface PendingCommit {
  readonly key: string
  readonly commit: object
  /** It changes nothing but the row of a user that exists. */
  readonly isRowOnly: boolean
  resolve(isWritten: boolean): void
  reject(error: unknown): void
}

export class CommitQueue {
  readonly #connection: Connection
  #pending: PendingCommit[] = []
  #running = 0
  #isClosed = false
  #drained: PromiseWithResolvers<void> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Resolves to whether it was written; false when it was decided on another revision or incarnation. */
  commit(user: Subject, commit: Commit): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw storeClosed()
      if (this.#pending.length >= MAX_PENDING)
        throw new PurserError('store_unavailable', `${MAX_PENDING} commits are pending.`)
      const isRowOnly = changesRowOnly(commit)
      this.#pending.push({ key: subjectKey(user), commit: commitOf(user, commit), isRowOnly, resolve, reject })
      // In a microtask, so that commits that are requested together share a batch.
      if (this.#pending.length === 1) queueMicrotask(() => this.#start())
    })
  }

  /** Rejects new commits; resolves when the pending ones are settled. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#running + this.#pending.length === 0) return
    this.#drained ??= Promise.withResolvers()
    await this.#drained.promise
  }

  #start(): void {
    while (this.#running < MAX_RUNNING && this.#pending.length > 0) {
      const batch = this.#pending.splice(0, MAX_PER_BATCH).sort((a, b) => (a.key < b.key ? -1 : 1))
      this.#running++
      void this.#run(batch).then(() => {
        this.#running--
        this.#start()
        if (this.#running === 0) this.#drained?.resolve()
      })
    }
  }

  /** Settles every commit; never rejects. */
  async #run(batch: readonly PendingCommit[]): Promise<void> {
    try {
      const outcomes = await this.#apply(batch)
      for (const [index, pending] of batch.entries()) pending.resolve(outcomes[index] === true)
    } catch (error) {
      if (batch.length > 1 && !PurserError.is(error)) for (const pending of batch) await this.#run([pending])
      else for (const pending of batch) pending.reject(error)
    }
  }

  async #apply(batch: readonly PendingCommit[]): Promise<readonly boolean[]> {
    const { schema } = this.#connection
    const values = [encodeJson(batch.map(({ commit }, index) => ({ ...commit, index })))]
    const isUpdate =
      batch.every(({ isRowOnly }) => isRowOnly) && new Set(batch.map(({ key }) => key)).size === batch.length
    const statement = {
      name: isUpdate ? 'update' : 'commit',
      text: `SELECT ${schema}.${isUpdate ? 'update_users' : 'apply_commits'}($1) AS outcomes`,
      values,
    }
    for (let attempt = 1; ; attempt++) {
      try {
        const [row] = await this.#connection.query<{ outcomes: boolean[] }>(statement)
        return row?.outcomes ?? []
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isRetryable(causeOf(error))) throw error
      }
    }
  }
}

const ROW_FIELDS: ReadonlySet<string> = new Set([
  'expect',
  'incarnation',
  'tag',
  'at',
  'seenAt',
  'facets',
  'measured',
  'usage',
])

function changesRowOnly(commit: Commit): boolean {
  if (commit.expect === null) return false
  return Object.entries(commit).every(
    ([name, value]) => ROW_FIELDS.has(name) || value === undefined || (Array.isArray(value) && value.length === 0),
  )
}

function causeOf(error: unknown): unknown {
  return error instanceof PurserError ? error.cause : error
}
