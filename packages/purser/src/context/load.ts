import type { Subject } from '../core/subject.ts'
import type { Mode } from './api.ts'

/**
 * One load of one section of one user, shared by everybody who asks meanwhile.
 *
 * Who waits is a member of `waiters` and leaves at their own deadline, so nothing of a caller is kept by a load that
 * hangs. A flight that an invalidation or a newer load has overtaken is `outdated`: it still answers those who came
 * before, and its data goes nowhere else. That mark is the generation: who begins later never sees it.
 */
export interface Load<Data> {
  readonly key: string
  readonly user: Subject
  readonly mode: Mode
  /** Must ask the source, even when the store holds something fresh. */
  readonly insists: boolean
  readonly waiters: Set<Waiter<Data>>
  readonly abort: AbortController
  place: 'queued' | 'live' | 'abandoned' | 'over'
  /** Monotonic ms; while queued: when it was asked for. */
  beganAt: number
  outdated: boolean
  probe: boolean
  /** It has been told as a hang. */
  overdue: boolean
  cancelAge: () => void
}

export interface Waiter<Data> {
  /** The load is over; undefined: it failed, was shed or given up. */
  landed(flight: Load<Data>, data: Data | undefined): void
  /** Older data turned up on the way. */
  glimpsed(flight: Load<Data>, data: Data): void
}

export interface LoadOptions {
  readonly key: string
  readonly user: Subject
  readonly mode: Mode
  readonly insists: boolean
  /** How long the caller is going to wait; undefined: a refresh nobody waits for. */
  readonly budgetMs: number | undefined
}

/** A flight that waits for its place. */
export function createLoad<Data>({ key, user, mode, insists }: LoadOptions, askedAt: number): Load<Data> {
  return {
    key,
    user,
    mode,
    insists,
    waiters: new Set(),
    abort: new AbortController(),
    place: 'queued',
    beganAt: askedAt,
    outdated: false,
    probe: false,
    overdue: false,
    cancelAge: () => undefined,
  }
}
