import type { AbortOptions } from '../core/abort.ts'

/** Kinds of records the context keeps for a user, and their bounds. */
export const PROFILE = 'profile'
export const ACTION = 'action'
/** Of a profile as JSON. */
export const MAX_PROFILE_BYTES = 65_536
/** Of a user; the newest stay. */
export const MAX_ACTIONS = 1_000
/** Of one call to `record`. */
export const MAX_ACTIONS_PER_CALL = 100_000
/** Of an action's name and labels. */
export const MAX_ACTION_BYTES = 2_048

export type ProfileFields = Readonly<Record<string, unknown>>

export interface ProfileOptions extends AbortOptions {
  /**
   * Whether to go on, given the present profile, in the step that would change it; else `version_conflict`. Pure: it may
   * be asked several times.
   */
  readonly when?: ((present: ProfileFields) => boolean) | undefined
}

/** What is known about a user: any JSON object of at most 64 KiB. A wrong one is `argument_invalid`. */
export interface Profile {
  /** Replaces the whole profile. Resolves to what is stored. */
  put(fields: ProfileFields, options?: ProfileOptions): Promise<ProfileFields>
  /** JSON merge patch (RFC 7396) in one atomic step: null removes a field. Resolves to what is stored. */
  patch(fields: ProfileFields, options?: ProfileOptions): Promise<ProfileFields>
  /** An unknown user has the profile `{}`. */
  get(options?: AbortOptions): Promise<ProfileFields>
}

/** Something the user did. */
export interface Action {
  readonly action: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly label?: string
  readonly sublabel?: string
}

export interface ActionInput {
  readonly action: string
  /** ISO 8601 or epoch ms; without an offset it is UTC. Default: now. */
  readonly at?: string | number | Date | undefined
  readonly label?: string | undefined
  readonly sublabel?: string | undefined
}

export interface RecordOptions extends AbortOptions {
  /** Kept for 24 hours: the same actions under the same key are recorded once; others are `idempotency_conflict`. */
  readonly idempotencyKey?: string | undefined
  /** Called when these actions were recorded before, under this key. */
  readonly onReplay?: (() => void) | undefined
}

/** What the user did: the newest 1,000 actions by their date. */
export interface Actions {
  /** Resolves to the actions as they were understood, in the order given. All of them count, or none does. */
  record(action: ActionInput, options?: RecordOptions): Promise<Action>
  record(actions: readonly ActionInput[], options?: RecordOptions): Promise<readonly Action[]>
  /** Newest first. `limit`: 0 to 1,000, default 50. */
  list(options?: AbortOptions & { readonly limit?: number | undefined }): Promise<readonly Action[]>
}
