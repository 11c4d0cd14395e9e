import type { AbortOptions } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import type { Waiter } from '../journal/api.ts'
import type { Event } from '../journal/event.ts'
import type { RatedLimit } from '../openai/rate-limit-headers.ts'
import type { Overview } from '../storage/store.ts'
import type { AuditPage, ReadAuditOptions } from './audit-log.ts'
import type { Bond } from './bond.ts'
import type { Admission, Admitted, Refused } from './decide/admission.ts'
import type { ObserveResult } from './decide/observation.ts'
import type { DetectionInput } from './detection.ts'
import type { Amount } from './limits/amount.ts'
import type { EstimatedRequest, KnownUsage } from './limits/estimate-usage.ts'
import type { LimitState } from './limits/limit-state.ts'
import type { ListUsersOptions, UserPage } from './list-users.ts'
import type { Quota } from './quota.ts'
import type { RecentEvents, RecentEventsOptions } from './recent-events.ts'
import type { TailOptions } from './tail.ts'
import type { DaysOptions, OverviewDay, PhaseChange } from './turns/read-days.ts'
import type { TurnsOptions, UserTurnsOptions } from './turns/read-turns.ts'
import type { UsageOptions, UsageSum, UserUsageOptions } from './turns/read-usage.ts'
import type { SimulateOptions, Simulation } from './turns/simulate.ts'
import type { TurnAdmissionUse } from './turns/stored-turn.ts'
import type { TurnEndRequest, TurnFacts, TurnRecord } from './turns/turn-record.ts'

/** Options of calls that can be repeated safely. */
export interface IdempotencyOptions extends AbortOptions {
  /**
   * At most 256 bytes, stored for 24 hours. A repeat with the same arguments returns the first result; with other
   * arguments it is `idempotency_conflict`. Keys of different methods are independent.
   */
  readonly idempotencyKey?: string | undefined
  /** Called when the result is that of an earlier call with this key. */
  readonly onReplay?: (() => void) | undefined
}

/** Audit options of operator actions. */
export interface AuditOptions extends IdempotencyOptions {
  /** Who acts; at most 256 bytes. Recorded in the event. */
  readonly actor: string
  /** At most 1,024 bytes. Recorded in the event. */
  readonly reason?: string | undefined
  /** The `version` of the bond the action was decided on. `version_conflict` when the bond has another one by now. */
  readonly expectedVersion?: number | undefined
}

export interface AdmitOptions extends IdempotencyOptions {
  /** The weight in turns, 0 to 1,000,000,000; with 0 only tokens and money are limited. Default 1. */
  readonly cost?: number | undefined
  /** The `provider/model` that will be called. Without it, limits with `models` do not see the admission. */
  readonly model?: string | undefined
  /** What is held until the ticket is settled, for 15 minutes at most. Default 0; the cost is that of the model's price. */
  readonly estimate?: UsageEstimate | undefined
}

export interface UsageEstimate {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  /** Decimal text, such as `'0.05'`. */
  readonly cost?: string | number | undefined
}

/** What a turn used. Default 0. */
export interface TokenUsage {
  /** All of them, cached ones included. */
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  readonly cachedTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
  readonly toolCalls?: number | undefined
  /** Decimal text. Default: from the prices and the model of the ticket. */
  readonly cost?: string | number | undefined
}

export interface ObserveOptions extends IdempotencyOptions {
  /** Measured values by node; the highest value of each node is stored. At most 64 nodes a user, of 64 bytes each. */
  readonly peaks?: Readonly<Record<string, number>> | undefined
}

export interface RecordOptions extends IdempotencyOptions {
  /** At most 4,096 bytes. Default `''`. */
  readonly detail?: string | undefined
  /** At most 16 KiB of JSON. Default `{}`. */
  readonly data?: Readonly<Record<string, unknown>> | undefined
  /** Default `'app'`. */
  readonly actor?: string | undefined
}

export interface SetLimitOptions extends AuditOptions {
  /** ISO 8601, in the future. Default: until it is set again. */
  readonly until?: string | null | undefined
}

export interface SetOwnLimitOptions extends IdempotencyOptions {
  /** Default `'self'`. */
  readonly actor?: string | undefined
}

export interface BlockOptions extends AuditOptions {
  readonly reason: string
  /** ISO 8601, in the future. Default: until `unblock`. */
  readonly until?: string | undefined
}

export interface EventsOptions extends AbortOptions {
  /** 0 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** Only events below this sequence. */
  readonly before?: number | undefined
  /** Only events of these types. */
  readonly types?: readonly string[] | undefined
  /** Only events at this instant (ISO 8601) or later. */
  readonly from?: string | undefined
  /** Only events before this instant (ISO 8601). */
  readonly to?: string | undefined
}

export interface NotesOptions extends AbortOptions {
  /** 0 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** The id of a note: only notes older than it. */
  readonly before?: string | undefined
}

export interface VerifyOptions extends AbortOptions {
  /** The text of a checkpoint: also checks that the store was not rolled back to a state before it. */
  readonly checkpoint?: string | undefined
}

export interface CheckpointOptions extends AbortOptions {
  /** Who asked for it, recorded in its event. Default `'purser'`. */
  readonly actor?: string | undefined
}

/** An event about something that is not a write of the journal. */
export interface RecordAuditOptions extends AbortOptions {
  /** Whose log it belongs to; nothing is recorded for a user who does not exist. Default: the namespace's own log. */
  readonly user?: string | undefined
  /** What was done, in one sentence; at most 1,024 bytes. */
  readonly detail: string
  /** At most 16 KiB of JSON; no secrets. */
  readonly data?: Readonly<Record<string, unknown>> | undefined
  /** At most 256 bytes. */
  readonly actor: string
  /** At most 1,024 bytes. */
  readonly reason?: string | undefined
  /** Where the request came from, such as `api`; at most 64 bytes. */
  readonly origin?: string | undefined
}

/** A note of an operator about a user. */
export interface Note {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly actor: string
  readonly text: string
}

/** The result of a verification. */
export interface Verification {
  readonly ok: boolean
  /** Number of events checked. */
  readonly checked: number
  /** The first error found; absent when there is none. */
  readonly firstBad?: IntegrityError
}

export interface IntegrityError {
  /** '' is the namespace's own log. Absent when the error is not about one user. */
  readonly user?: string
  /** Absent when the error is not about one event. */
  readonly sequence?: number
  readonly problem: string
}

/**
 * The ledger of one user: the bond, its event log, and whether the user may act now.
 *
 * A call that writes rejects with `store_unavailable` when nothing could be written, and with `user_erased` when the
 * user was erased during the call. Arguments of the wrong type or range are `argument_invalid`, unless a method names
 * another code.
 */
export interface UserLedger {
  /**
   * Checks the cap and counts the admission in one atomic step. A refusal is a value, not an error, and costs nothing.
   *
   * @returns `{ allowed: true, ticket, … }` or `{ allowed: false, reason, retryAfterMs, … }`
   * @throws {PurserError} `argument_invalid`, `idempotency_conflict`, `store_unavailable`
   * @example
   * const admission = await ledger.admit()
   * if (!admission.allowed) return refuse(admission.retryAfterMs)
   * const usage = await callModel().catch(async (error) => {
   *   await ledger.refund(admission.ticket)
   *   throw error
   * })
   * await ledger.settle(admission.ticket, usage)
   */
  admit(options?: AdmitOptions): Promise<Admission>
  /** What the user may still use. Consumes nothing and creates nothing. */
  quota(options?: AbortOptions): Promise<Quota>
  /**
   * Uses a ticket as payment for one turn. A user who is blocked by now is refused.
   *
   * @throws {PurserError} `ticket_used` when the ticket has paid before or is closed, `ticket_invalid` when it is not a
   *   ticket of this user or is older than 7 days
   */
  claim(ticket: string, options?: AbortOptions): Promise<Admission>
  /**
   * Subtracts the cost of a ticket from the window it was counted in, also when that window is over.
   *
   * @returns false when the ticket was already settled or refunded
   * @throws {PurserError} `ticket_invalid`
   */
  refund(ticket: string, options?: IdempotencyOptions): Promise<boolean>
  /**
   * Closes a ticket and counts its tokens in the window of its admission.
   *
   * @throws {PurserError} `ticket_used` when the ticket was already settled or refunded, `ticket_invalid`
   */
  settle(ticket: string, usage?: TokenUsage, options?: IdempotencyOptions): Promise<void>
  /**
   * Applies what the application detected about the user. Absent fields stay unchanged. A change of phase and a change of
   * risk become events, in this order, in one commit. A detection older than the last applied one is `stale`: it only
   * raises peaks.
   *
   * @throws {PurserError} `detection_invalid`, with a suggestion for a label that is not declared
   */
  observe(detection: DetectionInput, options?: ObserveOptions): Promise<ObserveResult>
  /**
   * Appends an event of the application.
   *
   * @param type `vendor:name`, such as `acme:notice_shown`; at most 128 bytes
   * @throws {PurserError} `event_invalid` for another type, or data above its limit
   */
  record(type: string, options?: RecordOptions): Promise<Event>
  /**
   * Sets the user's own daily cap.
   *
   * @param cap an integer of 0 or more; 0 is unlimited, null returns to the default
   * @throws {PurserError} `cap_invalid`, `version_conflict`
   */
  setDailyCap(cap: number | null, by: AuditOptions): Promise<Bond>
  /** The limits of the user in the order of decision: `daily` first, also without a cap. */
  limits(options?: AbortOptions): Promise<LimitState[]>
  /**
   * Sets what the user may use under a limit, instead of the configured maximum.
   *
   * @param name the name of a limit of the user, as `limits()` lists it
   * @param max a whole number, of `cost` decimal text; 0 allows nothing, null is no limit, `'default'` is the configured one
   * @throws {PurserError} `limit_unknown`, `limit_invalid`, `version_conflict`
   */
  setLimit(name: string, max: number | string | null, by: SetLimitOptions): Promise<LimitState>
  /**
   * Sets a limit of the person's own, which can only be lower than the operator's. Lowering holds at once; raising and
   * removing (null) take effect with the person's next day.
   *
   * @throws {PurserError} `limit_unknown`, `limit_invalid` above the `ceiling`
   */
  setOwnLimit(name: string, max: number | string | null, by?: SetOwnLimitOptions): Promise<LimitState>
  /**
   * Sets the use of a limit to 0. When a wrong clock has opened windows in the future, those are dropped as well.
   *
   * @throws {PurserError} `limit_unknown`, `version_conflict`
   */
  resetLimit(name: string, by: AuditOptions & { readonly reason: string }): Promise<LimitState>
  /**
   * Assigns a plan. It applies at once, and what was used stays used.
   *
   * @param name null: the default plan
   * @throws {PurserError} `plan_unknown`, `version_conflict`
   */
  setPlan(name: string | null, by: AuditOptions): Promise<Bond>
  /** Refuses every admission until `until`, or until `unblock`. */
  block(by: BlockOptions): Promise<Bond>
  /** Lifts a block. Without a block nothing changes and no event is written. */
  unblock(by: AuditOptions): Promise<Bond>
  /**
   * Overrides a detected phase or risk level.
   *
   * @throws {PurserError} `detection_invalid` for a label that is not declared, `version_conflict`
   */
  correct(
    fields: { phase?: string | undefined; riskLevel?: string | undefined },
    by: AuditOptions & { readonly reason: string },
  ): Promise<Bond>
  /**
   * Adds a note. Its text is stored outside the log; the event contains its id, its length and a keyed digest.
   *
   * @param text 1 to 8,192 bytes
   * @throws {PurserError} `note_invalid`, `version_conflict`
   */
  addNote(text: string, by: AuditOptions): Promise<Note>
  /** Notes, newest first. */
  notes(options?: NotesOptions): Promise<Note[]>
  /**
   * Sets the user's time zone. It counts from the end of the running window, so no change yields an additional day.
   *
   * @param zone an IANA name; null returns to the default
   * @throws {PurserError} `timezone_invalid`, `version_conflict`
   */
  setTimeZone(zone: string | null, by?: Partial<AuditOptions>): Promise<Bond>
  /** The current bond. A read creates nothing: an unknown user has the default bond with `exists: false`. */
  bond(options?: AbortOptions): Promise<Bond>
  /** Events, newest first. */
  events(options?: EventsOptions): Promise<Event[]>
  /**
   * Checks every link of the event chain, the head, the notes, and that the events fold to the stored state.
   *
   * @throws {PurserError} `checkpoint_invalid`
   */
  verify(options?: VerifyOptions): Promise<Verification>
}

/** The ledger of one user, with what turns and exports need. */
export interface InternalUserLedger {
  /** The public calls: `purser.user(id).ledger`. */
  readonly api: UserLedger
  /**
   * Admits a turn, or claims `ticket` as its payment; either way the ticket pays for no other turn. A repeated
   * idempotency key needs the same `request` and returns the first admission. A user who was blocked since is refused.
   *
   * Its signal prevents the decision: an admission that was decided before an abort resolves, and is to be settled.
   * Throws for options that are not valid.
   */
  admitTurn(options: AdmitTurnOptions, waiter: Waiter<Refused | AdmittedTurn>): void
  /** Estimates what a request will use. */
  estimate(request: EstimatedRequest, known: KnownUsage): TurnRecord['estimate']
  /**
   * Records a turn of a user who exists, without counting anything. Written behind.
   *
   * @returns the cost of what it used, nano-units; null: the model has no price
   */
  recordTurn(turn: TurnFacts, end?: RecordTurnOptions): Amount | null
  /** Records that a provider refuses this user for what they did: one event an hour, written behind. */
  recordRefusal(refusal: ProviderRefusal): void
  /** The newest turns: `purser.user(id).turns`. */
  turns(options?: UserTurnsOptions): Promise<TurnRecord[]>
  /** What was used: `purser.user(id).usage`. */
  usage(options?: UserUsageOptions): Promise<UsageSum[]>
  /** Everything the ledger stores about the user, for an export. Also works on a broken chain. */
  exportRows(): AsyncIterable<LedgerExport>
  /** Imports rows of exports. */
  readonly imports: RecordImports
}

/**
 * Imports rows of an export of this user, who must exist, at most 500 a call. Rows that are stored already add nothing.
 * Both resolve to the number of rows that are stored now, and reject with `argument_invalid` for a row that is not valid.
 */
export interface RecordImports {
  /** Records of turns, oldest first. Those that are too old to stay are left out. */
  turns(rows: readonly unknown[]): Promise<number>
  /** Sums of usage. Those of the namespace stay as they are. */
  usage(rows: readonly unknown[]): Promise<number>
  /** What is used of limits, in windows that run. Resolves to the number of rows that count now. */
  use(rows: readonly unknown[]): Promise<number>
}

/** A provider's refusal that names the user's pseudonym. */
export interface ProviderRefusal {
  readonly provider: string
  readonly model: string | null
  /** The provider's own code; null without one. */
  readonly code: string | null
  readonly incarnation: number
}

export interface AdmitTurnOptions extends Omit<AdmitOptions, 'estimate'> {
  readonly ticket?: string | undefined
  /** What the turn will probably use. */
  readonly estimate?: TurnRecord['estimate'] | undefined
  /** What a repeat under the same idempotency key must have in common with the first call; a JSON value. */
  readonly request?: unknown
  /** How the turn ends with its admission, because its answer is cached. Not with a ticket or an idempotency key. */
  readonly end?: TurnEndRequest | undefined
}

/** An admitted turn, to be settled or refunded once. */
export interface AdmittedTurn {
  readonly allowed: true
  /** The text of its ticket is made when `ticket` is first read. Only then can the ticket be used elsewhere. */
  readonly admission: Admitted
  /** The tightest limits of turns and of tokens after the admission; undefined when there is only `daily`, and for a repeat. */
  readonly rates: readonly RatedLimit[] | undefined
  /** Of the user; 0: not known, because the store was unavailable. */
  readonly incarnation: number
  /** Whether it was settled with its admission: then what ends it later changes nothing. */
  readonly isSettled: boolean
  /**
   * Counts the turn for another model instead, before that is called. False: a limit refuses it, and nothing changes.
   * Rejects with `ticket_used` when the ticket was used elsewhere.
   */
  moveTo(model: string, options: Pick<AdmitTurnOptions, 'estimate'>): Promise<boolean>
  /**
   * Counts what was used and records the turn. Written behind: it joins the next commit of the user. A ticket that was
   * used elsewhere is not settled again.
   *
   * @returns the cost, nano-units; null: the model has no price
   */
  settle(usage: TokenUsage, turn?: TurnFacts): Amount | null
  /** Gives the admission back, and records the turn. Written behind, like `settle`. */
  refund(turn?: TurnFacts): void
}

/** A turn that is counted elsewhere, if at all. */
export interface RecordTurnOptions {
  /** Default: no model was asked. */
  readonly usage?: TokenUsage | undefined
  /** Default `'none'`. */
  readonly admission?: TurnAdmissionUse | undefined
  readonly downgradedBy?: string | null | undefined
}

export interface LedgerExport {
  readonly part: 'ledger'
  readonly type: 'bond' | 'limit' | 'event' | 'note' | 'counter' | 'turn' | 'usage'
  readonly at?: string
  readonly value: unknown
}

/** The ledger of one namespace. */
export interface Ledger {
  /** Admissions that were allowed while the store failed and are not recorded yet. */
  readonly unrecorded: number
  of(user: Subject): InternalUserLedger
  /** One page of users when awaited, all of them when iterated. */
  users(options?: ListUsersOptions): PromiseLike<UserPage> & AsyncIterable<Bond>
  /** The number of users that the filters of `users` leave. */
  countUsers(options?: ListUsersOptions): Promise<number>
  /**
   * Live tail of all instances: in order per user, at least once.
   *
   * @throws {PurserError} `event_gone` to the reader, when the event to resume after is not stored any more
   */
  events(options?: TailOptions): AsyncIterable<Event>
  /** Verifies all users and the namespace's own log. */
  verify(options?: VerifyOptions): Promise<Verification>
  /** Signed text that covers all events written so far. Store it outside the database. */
  checkpoint(options?: CheckpointOptions): Promise<string>
  /**
   * Records what was done outside the calls of a user, such as a new key, as an `admin_action`.
   *
   * @param action lowercase letters and underscores, at most 64; in `data.action` of the event
   * @throws {PurserError} `argument_invalid`, `store_unavailable`
   */
  recordAudit(action: string, options: RecordAuditOptions): Promise<void>
  /**
   * What operators and callers of the management API have changed, of all users, newest first.
   *
   * @throws {PurserError} `argument_invalid`, `store_unavailable`
   */
  audit(options?: ReadAuditOptions): Promise<AuditPage>
  /**
   * Events of all users since an instant, newest first.
   *
   * @throws {PurserError} `argument_invalid`, `store_unavailable`
   */
  recentEvents(options: RecentEventsOptions): Promise<RecentEvents>
  overview(options?: AbortOptions): Promise<Overview>
  /** Numbers of users by day. */
  overviewByDay(options?: DaysOptions): Promise<OverviewDay[]>
  /** How users went from phase to phase, and how long they had been in the one before. */
  phaseChanges(options?: DaysOptions): Promise<PhaseChange[]>
  /** Records of turns of all users. */
  turns(options?: TurnsOptions): AsyncIterable<TurnRecord>
  /** What proposed limits would have refused. */
  simulate(options?: SimulateOptions): Promise<Simulation>
  /** What all users have used. */
  usage(options?: UsageOptions): Promise<UsageSum[]>
  /** Ends live tails and waits for running retention. */
  close(): Promise<void>
}
