import type { Subject } from '../../../core/subject.ts'
import type { Commit, CommitOutcome } from '../../../storage/commit.ts'
import { type LocalBus, notifyCommit } from '../../local-bus.ts'
import { BATCH_CALLS } from '../worker/client.ts'
import { deserializeError, type SerializedError } from '../worker/serialized-error.ts'
import type { Writer } from '../worker/threads.ts'
import { type PackedCommit, pack } from './packed-commit.ts'

interface PendingCommit {
  readonly user: Subject
  readonly commit: Commit
  resolve(outcome: CommitOutcome): void
  reject(error: unknown): void
}

export interface CommitBatchesDeps {
  readonly writer: Writer
  readonly local: LocalBus
  /** Of the database. */
  readonly path: string
}

/**
 * Sends commits that are requested together to the writer thread as one list, and gets one list of outcomes back. What a
 * full batch is for calls (`worker/client.ts`), it is for commits.
 */
export class CommitBatches {
  readonly #deps: CommitBatchesDeps
  #packed: PackedCommit[] = []
  #pending: PendingCommit[] = []

  constructor(deps: CommitBatchesDeps) {
    this.#deps = deps
  }

  commit(user: Subject, commit: Commit): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#packed.push(pack(user, commit))
      const size = this.#pending.push({ user, commit, resolve, reject })
      if (size === BATCH_CALLS) this.send()
      else if (size === 1) queueMicrotask(() => this.send())
    })
  }

  /** Sends what was requested; other calls of the writer thread come after it. */
  send(): void {
    if (this.#pending.length === 0) return
    const pending = this.#pending
    const packed = this.#packed
    this.#pending = []
    this.#packed = []
    this.#deps.writer.callMany(pending.length, 'commitAll', packed).then(
      (outcomes) => this.#settle(pending, outcomes),
      (error: unknown) => {
        for (const { reject } of pending) reject(error)
      },
    )
  }

  #settle(pending: readonly PendingCommit[], outcomes: readonly (boolean | SerializedError)[]): void {
    const { local, path } = this.#deps
    for (const [index, { user, commit, resolve, reject }] of pending.entries()) {
      const outcome = outcomes[index] ?? false
      if (typeof outcome === 'object') reject(deserializeError(outcome, path))
      else resolve(toCommitOutcome(local, { user, commit, isWritten: outcome }))
    }
  }
}

/** The outcome of a commit, which the listeners of this process are told of first. */
export function toCommitOutcome(
  local: LocalBus,
  { user, commit, isWritten }: { readonly user: Subject; readonly commit: Commit; readonly isWritten: boolean },
): CommitOutcome {
  if (!isWritten) return { ok: false }
  notifyCommit(local, user, commit)
  return { ok: true, revision: (commit.expect ?? 0) + 1 }
}
