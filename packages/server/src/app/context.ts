import type { Effects, Purser } from 'purser'
import type { ApiKeyStore } from '../auth/api-keys.ts'
import type { Limiter } from '../auth/limiter.ts'
import type { Role } from '../auth/roles.ts'
import type { Sessions } from '../auth/sessions.ts'
import type { Config } from '../config/load.ts'
import type { ServerOptions } from '../config/schema.ts'

/** What the routes of one server share. */
export interface AppContext {
  readonly purser: Purser
  readonly options: ServerOptions
  /** The whole configuration; undefined when the host brought its own Purser. */
  readonly config: Config | undefined
  readonly keys: ApiKeyStore
  readonly sessions: Sessions
  readonly limiter: Limiter
  readonly effects: Effects
  readonly authorize: Authorize | undefined
  /** Epoch ms. */
  readonly startedAt: number
  /** Ends everything that would otherwise stay open, as event streams. */
  readonly shutdown: AbortController
  /** Cuts the turns that are still under way when closing has to come to an end. */
  readonly forceClose: AbortController
}

/**
 * The host's own say in who is calling: an identity, or null to leave it to keys and sessions.
 * The request has no body: it has not been read yet.
 */
export type Authorize = (request: Request) => Authorized | null | Promise<Authorized | null>

export interface Authorized {
  /** Stands in the log for what is done. */
  readonly actor: string
  readonly role: Role
  /** With the role `user`: who it is. */
  readonly user?: string | undefined
}
