import type { Subject } from '../../../core/subject.ts'
import type { AnswerScope, AnswerUse, PutOutcome } from '../../../storage/answer-store.ts'
import type { Erasure, StoredEvent } from '../../../storage/commit.ts'
import type { InstanceRow } from '../../../storage/instance-store.ts'
import type { LastGood, LastGoodKey } from '../../../storage/last-good-store.ts'
import type { RowPage, RowPageQuery, StoredRow } from '../../../storage/row-store.ts'
import type { EventPage, ListedUser, Overview, TailEvent, UserQuery } from '../../../storage/store.ts'
import type { SumRow, SumStore, UserSum } from '../../../storage/sum-store.ts'
import type { ListedTurn, StoredTurn, TurnPage } from '../../../storage/turn-store.ts'
import type { PackedAnswers } from '../cache/packed-answers.ts'
import type { FileIdentity } from '../file-guard.ts'
import type { PackedCommit } from '../main/packed-commit.ts'
import { WRITE_LIMITS } from '../write-queue.ts'
import { createWorkerClient, type WorkerClient } from './client.ts'
import type { SerializedError } from './serialized-error.ts'

/*
 * The three threads of a store, and the calls that each of them serves. The functions themselves are where their
 * statements are: in `main/` and in `cache/`.
 */

/** Long reads of the main file, and copies of it. */
export type Reader = WorkerClient<ReaderCalls>
/** The one connection of this process that writes to the main file. */
export type Writer = WorkerClient<WriterCalls>
/** The one connection of this process that writes to the cache file. */
export type CacheWriter = WorkerClient<CacheWriterCalls>

const READER_MAX_PENDING = 1_000
/** Longer than another process may have the lock, and than a long list of users takes. */
const WRITER_SILENCE = { maxSilenceSeconds: 10, slowCalls: ['vacuum'] } as const
const READER_SILENCE = { maxSilenceSeconds: 30, slowCalls: ['backup'] } as const

export function createReader(path: string): Reader {
  return createWorkerClient<ReaderCalls>({ name: 'reader', path, maxPending: READER_MAX_PENDING, ...READER_SILENCE })
}

export function createWriter(path: string, identity?: FileIdentity): Writer {
  return createWorkerClient<WriterCalls>({
    name: 'writer',
    path,
    identity,
    maxPending: WRITE_LIMITS.maxPending,
    ...WRITER_SILENCE,
  })
}

export function createCacheWriter(path: string): CacheWriter {
  return createWorkerClient<CacheWriterCalls>({
    name: 'cache-writer',
    path,
    maxPending: WRITE_LIMITS.maxPending,
    ...WRITER_SILENCE,
  })
}

/** Reads that may touch many rows, and copies of the whole file. */
export interface ReaderCalls {
  list(query: UserQuery): ListedUser[]
  count(query: UserQuery): number
  overview(namespace: string): Overview
  newest(user: Subject, page: EventPage): StoredEvent[]
  oldest(user: Subject, page: { readonly after: number; readonly limit: number }): StoredEvent[]
  tail(namespace: string, page: { readonly after: number; readonly limit: number }): TailEvent[]
  turnsOfUser(user: Subject, page: TurnPage): StoredTurn[]
  turnsOfNamespace(namespace: string, page: TurnPage): ListedTurn[]
  sumsOfUser(user: Subject, page: Parameters<SumStore['ofUser']>[1]): SumRow[]
  sumsOfNamespace(namespace: string, page: Parameters<SumStore['ofNamespace']>[1]): SumRow[]
  sumsOfUsers(namespace: string, page: Parameters<SumStore['ofUsers']>[1]): UserSum[]
  /** At most `limit` sums of users, of days below this one. */
  oldUserSums(namespace: string, below: string, limit: number): UserSumKey[]
  readRows(page: RowPageQuery): RowPage
  /** Writes a complete, consistent copy of the database into a new file. */
  backup(file: string): void
}

/** The key of a row of `user_sums`. */
export type UserSumKey = readonly [uid: number, day: string, hour: number, key: string]

/** What a writer does with its file as a whole; see `Database`. No write runs meanwhile. */
export interface FileCalls {
  truncateLog(): boolean
  vacuum(): void
  close(): Promise<void>
}

/** Writes to the main file. Each resolves when it is on disk; writes that arrive together share a flush. */
export interface WriterCalls extends FileCalls, WipeCalls {
  /**
   * The outcome of each commit. False when the revision or incarnation is not the expected one, an error when it failed by
   * itself; nothing of it was written then.
   */
  commitAll(commits: readonly PackedCommit[]): Promise<readonly (boolean | SerializedError)[]>
  /** Makes a user unreachable. Undefined when the erasure was decided on another state; nothing was written then. */
  erase(user: Subject, erasure: Erasure): Promise<ErasedRows | undefined>
  /** Takes the write lock and resolves to its id: no other process writes until it is released. */
  lockWrites(): Promise<number>
  /** Like `commitAll` of one commit, and `erase`, under a lock; false and undefined also when the lock has ended. */
  commitLocked(lock: number, commit: PackedCommit): boolean
  eraseLocked(lock: number, user: Subject, erasure: Erasure): ErasedRows | undefined
  releaseLock(lock: number): void
  writeRows(rows: readonly StoredRow[]): Promise<void>
  sweepReplies(now: number, limit: number): Promise<number>
  /** Folds the turns that wait; see `main/turn-fold.ts`. */
  foldTurns(): Promise<void>
  sweepTurns(namespace: string, below: string, limit: number): Promise<number>
  /** Sums of the namespace. */
  sweepSums(namespace: string, below: string, limit: number): Promise<number>
  removeUserSums(rows: readonly UserSumKey[]): Promise<number>
  compareAndSetMeta(name: string, expected: string | undefined, value: string): Promise<boolean>
  /** True when another process has written to the database since the last call. */
  hasForeignCommits(): boolean
}

/** Removed rows by kind of record, and `events`, `turns`, `usage`, `user`. */
export type ErasedRows = Readonly<Record<string, number>>

/** The steps that wipe what erased users have left in the main file; see `main/purge.ts`. */
export interface WipeCalls {
  /** Deletes at most `limit` rows of an unreachable user and resolves to their number. Fewer: none is left. */
  wipe(uid: number, limit: number): Promise<number>
  /** Removes a wiped user from the list, and records that the files have to be rewritten. */
  endPurge(purge: number): Promise<void>
  /** Records what is still to do with the files: `rewrite` them, then `cut` their logs; null: nothing. */
  setPendingRewrite(step: 'rewrite' | 'cut' | null): Promise<void>
}

/** Writes to the cache file, which holds rebuildable data. */
export interface CacheWriterCalls
  extends FileCalls,
    AnswerWriterCalls,
    LastGoodWriterCalls,
    MessageWriterCalls,
    InstanceWriterCalls {
  /** Makes the next opening replace the file. Other processes may be using it now, so it is not deleted at once. */
  markDamaged(): void
}

/** See `AnswerStore`. */
export interface AnswerWriterCalls {
  putAnswers(batch: PackedAnswers): Promise<PutOutcome>
  touchAnswers(namespace: string, uses: readonly AnswerUse[]): Promise<void>
  removeAnswer(scope: AnswerScope, key: string): Promise<void>
  forgetAnswers(scope: AnswerScope): Promise<number>
  clearAnswers(namespace: string): Promise<number>
  sweepAnswers(namespace: string, step: { readonly now: number; readonly limit: number }): Promise<number>
}

export interface LastGoodWriterCalls {
  /** Replaces the row of an earlier incarnation, or an absent one, by an empty row with a lease. Resolves to the row. */
  claimLease(claim: LeaseClaim): Promise<LastGoodRow | undefined>
  /** False when the lease has ended or there is newer data. */
  putLastGood(key: LastGoodKey, lease: string, data: LastGood): Promise<boolean>
  dropLastGood(user: Subject, section: string | undefined): Promise<void>
}

export interface LeaseClaim {
  readonly key: LastGoodKey
  readonly candidate: string
  /** Present when rows are to be counted and the oldest evicted. */
  readonly maxRows: number | undefined
}

/** A row as SQLite returns it. */
export type LastGoodRow = Readonly<Record<string, unknown>>

export interface MessageWriterCalls {
  /** Adds a message and resolves to its sequence number. */
  addMessage(origin: string, message: string): Promise<number>
  /** Removes all messages. A listener that has not read them receives `gap`. */
  dropMessages(): Promise<void>
  /** Records how far a process has read. */
  setListener(listener: { readonly origin: string; readonly pid: number; readonly heard: number }): Promise<void>
  removeListener(origin: string): Promise<void>
}

/** See `InstanceStore`. */
export interface InstanceWriterCalls {
  publishInstance(row: InstanceRow, age: { readonly now: number; readonly deadAfterMs: number }): Promise<void>
  removeInstance(id: string): Promise<void>
}
