import type { AbortOptions } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import type { Event } from '../journal/event.ts'
import type { Overview } from '../storage/store.ts'
import type { Bond } from './bond.ts'
import type { Admission, Admitted, Refused } from './decide/admission.ts'
import type { Observed } from './decide/observation.ts'
import type { DetectionInput } from './detection.ts'
import type { UserPage, UserQueryInput } from './list-users.ts'
import type { Note } from './notes.ts'
import type { Quota } from './quota.ts'
import type { Verification } from './verify.ts'

export interface IdempotencyOptions extends AbortOptions {
  /** Kept for 24 hours: the same key and body give the same answer, another body is `idempotency_conflict`. */
  readonly idempotencyKey?: string | undefined
  /** Called when the answer is that of an earlier call with this key. */
  readonly onReplay?: (() => void) | undefined
}

/** Who does it. Required for what people do to a user. */
export interface AuditOptions extends IdempotencyOptions {
  readonly actor: string
  readonly reason?: string | undefined
  /** The version of the bond this was decided on; `version_conflict` when it has another by then. */
  readonly expectedVersion?: number | undefined
}

export interface AdmitOptions extends IdempotencyOptions {
  /** How much of the cap it uses; a whole number of 1 or more. Default 1. */
  readonly cost?: number | undefined
}

/** A turn that may go on, and the two ends it can have: the ledger hears of one of them, once. */
export interface AdmittedTurn {
  readonly allowed: true
  readonly admission: Admitted
  settle(usage: TokenUsage): Promise<void>
  refund(): Promise<boolean>
}

export interface TokenUsage {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

export interface EventsOptions extends AbortOptions {
  /** 0 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** Only events below this sequence. */
  readonly before?: number | undefined
  readonly types?: readonly string[] | undefined
}

/**
 * Who one user is to us, and whether they may act now.
 *
 * Every call that writes rejects with `store_unavailable` when nothing could be written, and with `user_erased` when
 * the user's life ended meanwhile. With an `idempotencyKey`, a repeat is given the first answer, and another body under
 * the same key is `idempotency_conflict`. With an `expectedVersion`, `version_conflict` when the bond has another.
 */
export interface UserLedger {
  /** Checks and counts in one atomic step. A refusal is a value and costs nothing. */
  admit(options?: AdmitOptions): Promise<Admission>
  /**
   * For turns: admits, or takes the given ticket as payment. Either way the ticket is claimed and pays for no other
   * turn. A repeated idempotency key is given the first one's, and has to come with the same request; a user who was
   * blocked meanwhile is refused.
   */
  admitTurn(
    order: AdmitOptions & { readonly ticket?: string | undefined; readonly request?: unknown },
  ): Promise<Refused | AdmittedTurn>
  /** Looks without consuming. */
  quota(options?: AbortOptions): Promise<Quota>
  /** Takes a ticket as payment for one turn: `ticket_used` when it has paid before, `ticket_invalid` when it cannot. */
  claim(ticket: string, options?: AbortOptions): Promise<Admission>
  /** Gives back what a ticket was counted, once, into its own window. False when it was already settled or refunded. */
  refund(ticket: string, options?: IdempotencyOptions): Promise<boolean>
  /** Closes a ticket and counts its tokens. `ticket_used` when it was already settled or refunded. */
  settle(ticket: string, usage?: TokenUsage, options?: IdempotencyOptions): Promise<void>
  /**
   * What was detected about the user; absent fields stay as they are, and one that is older than the last applied one is
   * `stale`: then only peaks move. Phase and risk that change become events, in this order, in one commit. Of `peaks`
   * the higher value stays, for at most 64 nodes of 64 bytes. Throws `detection_invalid`, with a suggestion.
   */
  observe(
    detection: DetectionInput,
    options?: IdempotencyOptions & { readonly peaks?: Readonly<Record<string, number>> | undefined },
  ): Promise<Observed<Bond>>
  /** Writes an event of the application's own, of type `vendor:name`; `event_invalid` for any other type. */
  record(
    type: string,
    options?: IdempotencyOptions & {
      readonly detail?: string | undefined
      readonly data?: Readonly<Record<string, unknown>> | undefined
      readonly actor?: string | undefined
    },
  ): Promise<Event>
  /** A whole number; 0 is unlimited, null goes back to the default. Throws `cap_invalid`. */
  setDailyCap(cap: number | null, by: AuditOptions): Promise<Bond>
  /** Refuses every admission until `until` (ISO 8601, in the future), or until `unblock`. */
  block(by: AuditOptions & { readonly reason: string; readonly until?: string | undefined }): Promise<Bond>
  unblock(by: AuditOptions): Promise<Bond>
  /** Puts right what was detected. Throws `detection_invalid` for what is not declared. */
  correct(
    fields: { phase?: string | undefined; riskLevel?: string | undefined },
    by: AuditOptions & { readonly reason: string },
  ): Promise<Bond>
  /** 1 to 8,192 bytes of text; `note_invalid`. */
  addNote(text: string, by: AuditOptions): Promise<Note>
  /** Newest first. `before` is the id of a note. */
  notes(options?: AbortOptions & { limit?: number | undefined; before?: string | undefined }): Promise<Note[]>
  /**
   * An IANA name; null goes back to the default. It counts from the end of the running window, so that no change gives
   * a second day. Throws `timezone_invalid`.
   */
  setTimeZone(zone: string | null, by?: Partial<AuditOptions>): Promise<Bond>
  /** Reading creates nothing: an unknown user reads as the default bond with `exists: false`. */
  bond(options?: AbortOptions): Promise<Bond>
  /** Newest first. */
  events(options?: EventsOptions): Promise<Event[]>
  /** Checks every link, the head and that the events fold to the state. */
  verify(options?: AbortOptions & { readonly checkpoint?: string | undefined }): Promise<Verification>
  /** Everything the ledger holds of the user, for `user.export()`. Works on a broken chain too. */
  exportRows(): AsyncIterable<ExportRow>
}

export interface ExportRow {
  readonly part: 'ledger'
  readonly type: 'bond' | 'event' | 'note' | 'counter'
  readonly at?: string
  readonly value: unknown
}

/** The ledger of one namespace. */
export interface Ledger {
  of(user: Subject): UserLedger
  users(query?: UserQueryInput): PromiseLike<UserPage> & AsyncIterable<Bond>
  /** Live tail of every instance: per-user order, at least once, resumed behind `after`. */
  events(options?: TailOptions): AsyncIterable<Event>
  verify(options?: AbortOptions & { readonly checkpoint?: string | undefined }): Promise<Verification>
  /** Signed text that stands for every event there is now. Keep it outside the database. */
  checkpoint(options?: AbortOptions): Promise<string>
  overview(options?: AbortOptions): Promise<Overview>
  /** Ends live tails and waits for work under way. */
  close(): Promise<void>
}

export interface TailOptions extends AbortOptions {
  /** Begin behind this event. Default: what comes from now on. */
  readonly after?: string | undefined
  readonly user?: string | undefined
  readonly types?: readonly string[] | undefined
}
