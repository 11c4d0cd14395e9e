import type { AbortOptions } from '../core/abort.ts'

/** Kinds of the context's records in the store, and their limits. */
export const PROFILE = 'profile'
export const ACTION = 'action'
/** Whether the person's context may be used. */
export const CONSENT = 'context_consent'
/** Of a profile as JSON. */
export const MAX_PROFILE_BYTES = 65_536
/** Stored actions of one user; the newest by date stay. */
export const MAX_ACTIONS = 1_000
/** Of one call of `record`. */
export const MAX_ACTIONS_PER_CALL = 100_000
/** Of an action's name and of its labels. */
export const MAX_ACTION_BYTES = 2_048

/** Any JSON object. */
export type ProfileFields = Readonly<Record<string, unknown>>

export interface ProfileOptions extends AbortOptions {
  /**
   * Decides, from the stored profile, whether to write; evaluated in the atomic step of the write. False rejects with
   * `version_conflict`. Must be pure: it may be called several times.
   */
  readonly when?: ((stored: ProfileFields) => boolean) | undefined
}

/** The application's data about a user, in Purser's own store: any JSON object of at most 64 KiB and 32 levels. */
export interface Profile {
  /**
   * Replaces the whole profile.
   *
   * @param fields A JSON object of at most 64 KiB.
   * @returns The profile as stored.
   * @throws {PurserError} `argument_invalid`, `version_conflict`, `user_erased`, `store_unavailable`; nothing is written.
   */
  put(fields: ProfileFields, options?: ProfileOptions): Promise<ProfileFields>
  /**
   * Applies a JSON merge patch (RFC 7396) in one atomic step.
   *
   * @param fields New values; null removes a field, objects are merged.
   * @returns The whole profile as stored, at most 64 KiB.
   * @throws {PurserError} `argument_invalid`, `version_conflict`, `user_erased`, `store_unavailable`; nothing is written.
   * @example
   * await user.profile.put({ name: 'Ada', plan: 'gold' })
   * await user.profile.patch({ plan: null, city: 'London' })   // { name: 'Ada', city: 'London' }
   */
  patch(fields: ProfileFields, options?: ProfileOptions): Promise<ProfileFields>
  /**
   * @returns The stored profile; `{}` for an unknown user.
   * @throws {PurserError} `store_unavailable`
   */
  get(options?: AbortOptions): Promise<ProfileFields>
}

/** Something the user did, as stored. */
export interface Action {
  /** Name of at most 2,048 bytes. */
  readonly action: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly label?: string
  readonly sublabel?: string
}

/** An action to record. */
export interface ActionInput {
  /** Name of at most 2,048 bytes. */
  readonly action: string
  /** ISO 8601 text or epoch ms; text without an offset is UTC. Years 1 to 9999. Default: now. */
  readonly at?: string | number | Date | undefined
  /** At most 2,048 bytes. */
  readonly label?: string | undefined
  /** At most 2,048 bytes. */
  readonly sublabel?: string | undefined
}

export interface RecordOptions extends AbortOptions {
  /**
   * Text of 1 to 256 bytes, remembered for 24 hours. The same actions under the same key are recorded once; other
   * actions reject with `idempotency_conflict`.
   */
  readonly idempotencyKey?: string | undefined
  /** Called if these actions were already recorded under this key. */
  readonly onReplay?: (() => void) | undefined
}

/** What a user did, in Purser's own store: the newest 1,000 actions by date. Older ones are deleted. */
export interface Actions {
  /**
   * Records one action or up to 100,000 at once, all or none.
   *
   * @returns The actions as stored, in the order of the argument. Of more than 1,000, only the newest are kept.
   * @throws {PurserError} `argument_invalid`, `idempotency_conflict`, `user_erased`, `store_unavailable`
   * @example
   * await user.actions.record({ action: 'Opened lesson 3' })
   */
  record(action: ActionInput, options?: RecordOptions): Promise<Action>
  record(actions: readonly ActionInput[], options?: RecordOptions): Promise<readonly Action[]>
  /**
   * @param options.limit 0 to 1,000; default 50.
   * @returns The newest actions, newest first.
   * @throws {PurserError} `argument_invalid`, `store_unavailable`
   */
  list(options?: AbortOptions & { readonly limit?: number | undefined }): Promise<readonly Action[]>
}
