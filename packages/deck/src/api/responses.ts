import type { Purser, Overview as UserCounts, UserRuntime } from 'purser'

/*
 * Response bodies of the management API. Most are values of the library, so that their types come from there; declared
 * here is only what the server adds.
 */

export type { Event as LedgerEvent, Session as RuntimeSession } from 'purser'

/** One runtime of `GET /api/runtimes`. */
export type ActiveRuntime = ReturnType<Purser['runtime']['active']>[number] & {
  /** Id of the instance that it is in. */
  readonly instance: string
}

/** One secret of `GET /api/users/:id/secrets`, without its values. */
export type SecretInfo = Awaited<ReturnType<UserRuntime['secrets']>>[number]

/** Roles that may sign in, lowest first. */
export type Role = 'viewer' | 'operator' | 'admin'

/** The signed-in session. */
export interface Session {
  /** Name of the key, recorded as the actor in the event log. */
  readonly name: string
  readonly role: Role
}

/** One page of a list. */
export interface List<Item> {
  readonly data: readonly Item[]
  /** Of the next page; null on the last one. */
  readonly cursor: string | null
}

export interface Overview extends UserCounts {
  /** Vocabularies in their declared order; null where the operator declared none. */
  readonly vocabulary?: { readonly phases?: readonly string[] | null; readonly riskLevels?: readonly string[] | null }
  readonly server?: {
    readonly version: string
    readonly startedAt: string
    readonly store: { readonly name: string; readonly location: string }
    readonly namespace: string
  }
}
