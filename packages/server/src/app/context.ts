import type { Effects, Purser } from 'purser'
import type { CallSignal } from 'purser/internal'
import type { ApiKeyStore } from '../auth/api-keys.ts'
import type { Limiter } from '../auth/limiter.ts'
import type { Role } from '../auth/scopes.ts'
import type { Sessions } from '../auth/sessions.ts'
import type { Config } from '../config/load.ts'
import type { ServerOptions } from '../config/server-options.ts'
import type { BodyBudget } from '../http/body-budget.ts'
import type { OpenStreams } from '../http/open-streams.ts'
import type { TurnRoute } from '../routes/gateway/turn-route.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { ConnectionTimeouts } from './connection-limits.ts'
import type { FailureLog } from './failure-log.ts'

/** What the routes of one server share. */
export interface AppContext {
  readonly purser: Purser
  readonly options: ServerOptions
  /** The whole configuration; undefined when the host passed its own Purser. */
  readonly config: Config | undefined
  readonly keys: ApiKeyStore
  readonly sessions: Sessions
  readonly limiter: Limiter
  readonly failureLog: FailureLog
  readonly webhooks: Webhooks
  readonly effects: Effects
  readonly authorize: Authorize | undefined
  readonly timeouts: ConnectionTimeouts
  readonly streams: OpenStreams
  readonly bodyBudget: BodyBudget
  /** The routes that are turns, by their path with the prefix. */
  readonly turnRoutes: Map<string, TurnRoute>
  /** Epoch ms. */
  readonly startedAt: number
  /** Aborted when the server begins to close. Ends what would otherwise stay open, such as event streams. */
  readonly shutdown: AbortController
  /** Aborted after `server.shutdownMs`. Cuts the turns that are still running. */
  readonly forceClose: CallSignal
}

/**
 * Authenticates a request by the host's own means: returns an identity, or null to fall back to keys and sessions. The
 * request has no body, because it has not been read yet.
 */
export type Authorize = (request: Request) => Authorized | null | Promise<Authorized | null>

export interface Authorized {
  /** Recorded in the event log for what this caller changes. */
  readonly actor: string
  readonly role: Role
  /** The id of the user; required for the role `user`, not allowed for any other role. */
  readonly user?: string | undefined
  /** Recorded with what this caller changes. `command`: a command on this machine. Default `host`, the host's application. */
  readonly origin?: 'host' | 'command' | undefined
}
