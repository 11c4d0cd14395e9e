import type { Effects } from '../core/effects.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Journal } from '../journal/api.ts'
import { type AdmitCommand, admit, type Granted } from './decide/admission.ts'
import { recordUnrecorded, type UnrecordedAdmission } from './decide/unrecorded.ts'
import type { Settlement } from './limits/settlement.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerData } from './state.ts'
import type { Ticket } from './tickets.ts'

/*
 * With `onStoreFailure: 'admit'`, a turn is allowed while the store fails if the state of the user that this process knew
 * last would allow it together with those that it has allowed since. What was allowed waits in memory, and is counted with
 * an event once the store is back; a crash before that loses it. So a limit is passed by at most what the instances
 * allow each on their own: 20 admissions of a user in each.
 */

/** Admissions of one user that wait at most; one more is refused. */
const MAX_PER_USER = 20
/** Of all users. */
const MAX_WAITING = 10_000
/** While the store fails, admissions do not wait for it, and it is tried again this often. */
const RETRY_MS = 1_000
/** Users whose admissions are recorded at the same time. */
const MAX_CONCURRENT_USERS = 16

export interface UnrecordedDeps {
  readonly journal: Journal<LedgerData>
  readonly effects: Effects
  readonly rules: LedgerRules
}

/** An admission that waits to be recorded. Its ticket changes when it is. */
export class WaitingAdmission implements UnrecordedAdmission {
  readonly estimate: AdmitCommand['estimate']
  readonly leaseMs: number
  ticket: Ticket
  settlement: Settlement | undefined
  /** Whether it is part of a write whose outcome is not known. */
  isBeingRecorded = false
  isRecorded = false
  isDropped = false
  /** Called when it is recorded: what came while the outcome was not known. */
  onRecorded: (() => void) | undefined

  constructor(ticket: Ticket, { estimate, leaseMs }: Pick<AdmitCommand, 'estimate' | 'leaseMs'>) {
    this.ticket = ticket
    this.estimate = estimate
    this.leaseMs = leaseMs
  }

  /** Settles or refunds it: here while it waits, in the store once it is recorded. */
  close(change: { readonly here: () => void; readonly inStore: () => void }): void {
    if (this.isRecorded) change.inStore()
    else if (this.isBeingRecorded) this.onRecorded = change.inStore
    else change.here()
  }
}

/** The admissions of one user. A batch is written again unchanged until its outcome is known. */
interface UserQueue {
  readonly user: Subject
  waiting: WaitingAdmission[]
  batch: { readonly id: string; readonly admissions: readonly WaitingAdmission[] } | undefined
}

export class UnrecordedAdmissions {
  readonly #deps: UnrecordedDeps
  readonly #users = new Map<string, UserQueue>()
  #count = 0
  #isStoreDown = false
  #cancelTimer: (() => void) | undefined
  #recording: Promise<void> | undefined

  constructor(deps: UnrecordedDeps) {
    this.#deps = deps
  }

  /** Whether an admission should not wait for the store, because it has just failed. */
  get isStoreDown(): boolean {
    return this.#isStoreDown
  }

  /** Admissions that are not recorded yet. */
  get count(): number {
    return this.#count
  }

  /**
   * Allows an admission that the store has failed to decide.
   *
   * @throws the error itself if it is no failure of the store, the state that is known would refuse, or too many wait
   */
  admit(user: Subject, command: AdmitCommand, error: unknown = storeDown()): Granted {
    const { rules, journal } = this.#deps
    if (rules.onStoreFailure !== 'admit' || !isStoreFailure(error)) throw error
    this.#isStoreDown = true
    this.#retryLater()
    const queue = this.#queueOf(user)
    const admissions = [...queue.waiting, ...(queue.batch?.admissions ?? [])]
    const view = journal.lastKnown(user)
    const weight = command.weight + admissions.reduce((sum, { ticket }) => sum + ticket.weight, 0)
    const { usage = view.usage, result } = admit(rules, { ...command, weight }, view)
    const outcome = result({ view: { ...view, usage }, events: [] })
    if (!outcome.allowed || admissions.length >= MAX_PER_USER || this.#count >= MAX_WAITING) throw error
    const ticket: Ticket = { ...outcome.ticket, weight: command.weight }
    queue.waiting.push(new WaitingAdmission(ticket, command))
    this.#count++
    return { allowed: true, ticket, quota: outcome.quota, isHeld: false, observed: [], unrecorded: true }
  }

  /** The admission of a ticket, if it is not recorded yet. */
  find(user: Subject, { id }: Ticket): WaitingAdmission | undefined {
    return this.#users.get(subjectKey(user))?.waiting.find(({ ticket }) => ticket.id === id)
  }

  /** Gives an admission back that waits. */
  drop(admission: WaitingAdmission): void {
    if (admission.isDropped) return
    admission.isDropped = true
    this.#count--
  }

  /** Records what waits, as far as the store allows, and stops. */
  async close(): Promise<void> {
    await this.#record()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #queueOf(user: Subject): UserQueue {
    const key = subjectKey(user)
    const queue = this.#users.get(key) ?? { user, waiting: [], batch: undefined }
    queue.waiting = queue.waiting.filter(({ isDropped }) => !isDropped)
    this.#users.set(key, queue)
    return queue
  }

  #retryLater(): void {
    const retry = async (): Promise<void> => {
      this.#cancelTimer = undefined
      await this.#record()
      if (this.#users.size > 0) this.#retryLater()
    }
    this.#cancelTimer ??= this.#deps.effects.setTimer(() => void retry(), RETRY_MS, { background: true })
  }

  /** One attempt for every user; the first failure ends it. */
  #record(): Promise<void> {
    this.#recording ??= this.#recordAll().finally(() => {
      this.#recording = undefined
    })
    return this.#recording
  }

  async #recordAll(): Promise<void> {
    const queues = [...this.#users.values()].values()
    let hasFailed = false
    const work = async (): Promise<void> => {
      for (const queue of queues) {
        if (hasFailed) return
        hasFailed = !(await this.#recordUser(queue))
        this.#isStoreDown = hasFailed
      }
    }
    // The first one alone: a store that hangs is asked once.
    const [first] = this.#users.values()
    hasFailed = first !== undefined && !(await this.#recordUser(first))
    await Promise.all(Array.from({ length: MAX_CONCURRENT_USERS }, work))
    // The next admission finds out whether the store is back when nothing is left to record.
    this.#isStoreDown = hasFailed && this.#users.size > 0
  }

  /** False when the store fails. */
  async #recordUser(queue: UserQueue): Promise<boolean> {
    const { rules, journal, effects } = this.#deps
    const { user } = queue
    queue.batch ??= { id: effects.randomId(), admissions: this.#takeWaiting(queue) }
    const { id, admissions } = queue.batch
    try {
      if (admissions.length > 0) {
        const at = await journal.write<number | null>(user, {
          // A write whose reply was lost is repeated, and has one effect.
          idempotency: { key: `unrecorded:${id}`, body: null },
          isAudited: false,
          decide: (view) => recordUnrecorded(rules, admissions, view),
        })
        this.#finish(admissions, at)
      }
      queue.batch = undefined
      if (queue.waiting.length === 0) this.#users.delete(subjectKey(user))
    } catch (error) {
      if (isStoreFailure(error)) return false
      this.#abandon(queue)
    }
    return true
  }

  #takeWaiting(queue: UserQueue): readonly WaitingAdmission[] {
    const admissions = queue.waiting.filter(({ isDropped }) => !isDropped)
    queue.waiting = []
    for (const admission of admissions) admission.isBeingRecorded = true
    return admissions
  }

  #finish(admissions: readonly WaitingAdmission[], at: number | null): void {
    this.#count -= admissions.length
    for (const admission of admissions) {
      admission.isRecorded = true
      if (at !== null) admission.ticket = { ...admission.ticket, at }
      admission.onRecorded?.()
    }
  }

  /** What cannot be written, for example on a damaged row, would be tried forever. */
  #abandon(queue: UserQueue): void {
    this.#finish(queue.batch?.admissions ?? [], null)
    queue.batch = undefined
    this.#users.delete(subjectKey(queue.user))
  }
}

function storeDown(): PurserError {
  return new PurserError('store_unavailable', 'The store cannot be reached at the moment.', { hint: 'Try again.' })
}

/** The store cannot be reached or written; not that a user is written too often. */
function isStoreFailure(error: unknown): boolean {
  return PurserError.is(error, 'store_unavailable') && error.details?.reason === undefined
}
