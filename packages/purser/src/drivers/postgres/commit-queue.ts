import { type Subject, subjectKey } from '../../core/subject.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import type { Commit } from '../../storage/commit.ts'
import type { Connection, Statement } from './connection.ts'
import { isRetryable } from './errors.ts'
import { isPlain, plainArguments, type UserCommit } from './plain-commits.ts'
import { commitOf } from './rows.ts'
import { encodeJson } from './text.ts'

/*
 * Group commit. Commits that are requested while a statement runs share the next one, and so the next flush to disk. A
 * batch is one statement, and so one transaction, in the order of its users, so that batches of several processes cannot
 * lock each other out. Plain commits have batches of their own, which are a fraction of the work.
 *
 * When a batch fails by the error of one commit, nothing of it was written: its commits are then run one by one, so that
 * only the one at fault is rejected.
 */

const MAX_PER_BATCH = 64
const MAX_PENDING = 100_000
/** Batches that run at once. With two, one is prepared while the other waits for the disk. */
const MAX_RUNNING = 2
const MAX_ATTEMPTS = 5

interface PendingCommit extends UserCommit {
  readonly key: string
  resolve(isWritten: boolean): void
  reject(error: unknown): void
}

export class CommitQueue {
  readonly #connection: Connection
  readonly #plain: PendingCommit[] = []
  readonly #other: PendingCommit[] = []
  #running = 0
  #wasPlain = false
  #isClosed = false
  #drained: PromiseWithResolvers<void> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Resolves to whether it was written; false when it was decided on another revision or incarnation. */
  commit(user: Subject, commit: Commit): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw storeClosed()
      if (this.#pendingCount >= MAX_PENDING)
        throw new PurserError('store_unavailable', `${MAX_PENDING} commits are pending.`)
      // In a microtask, so that commits that are requested together share a batch.
      if (this.#pendingCount === 0) queueMicrotask(() => this.#start())
      const pending = isPlain(commit) ? this.#plain : this.#other
      pending.push({ key: subjectKey(user), user, commit, resolve, reject })
    })
  }

  /** Rejects new commits; resolves when the pending ones are settled. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#running + this.#pendingCount === 0) return
    this.#drained ??= Promise.withResolvers()
    await this.#drained.promise
  }

  get #pendingCount(): number {
    return this.#plain.length + this.#other.length
  }

  #start(): void {
    while (this.#running < MAX_RUNNING && this.#pendingCount > 0) {
      // In turn, so that neither kind waits for all of the other.
      const takesPlain = this.#plain.length > 0 && (this.#other.length === 0 || !this.#wasPlain)
      this.#wasPlain = takesPlain
      const batch = takeBatch(takesPlain ? this.#plain : this.#other)
      this.#running++
      void this.#run(batch, takesPlain).then(() => {
        this.#running--
        this.#start()
        if (this.#running === 0) this.#drained?.resolve()
      })
    }
  }

  /** Settles every commit; never rejects. */
  async #run(batch: readonly PendingCommit[], arePlain: boolean): Promise<void> {
    try {
      const outcomes = await this.#apply(arePlain ? this.#plainStatement(batch) : this.#otherStatement(batch))
      for (const [index, pending] of batch.entries()) pending.resolve(outcomes[index] === true)
    } catch (error) {
      if (batch.length > 1 && !PurserError.is(error)) for (const pending of batch) await this.#run([pending], arePlain)
      else for (const pending of batch) pending.reject(error)
    }
  }

  #plainStatement(batch: readonly PendingCommit[]): Statement {
    const values = plainArguments(batch)
    const parameters = values.map((_, index) => `$${index + 1}`).join(', ')
    return { name: 'write', text: `SELECT ${this.#connection.schema}.write_users(${parameters}) AS outcomes`, values }
  }

  #otherStatement(batch: readonly PendingCommit[]): Statement {
    const values = [encodeJson(batch.map(({ user, commit }) => commitOf(user, commit)))]
    return { name: 'commit', text: `SELECT ${this.#connection.schema}.apply_commits($1) AS outcomes`, values }
  }

  async #apply(statement: Statement): Promise<readonly boolean[]> {
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

/** The first commits of different users, in the order of users. */
function takeBatch(pending: PendingCommit[]): PendingCommit[] {
  const keys = new Set<string>()
  while (keys.size < Math.min(MAX_PER_BATCH, pending.length) && !keys.has((pending[keys.size] as PendingCommit).key))
    keys.add((pending[keys.size] as PendingCommit).key)
  return pending.splice(0, keys.size).sort((a, b) => (a.key < b.key ? -1 : 1))
}

function causeOf(error: unknown): unknown {
  return error instanceof PurserError ? error.cause : error
}
