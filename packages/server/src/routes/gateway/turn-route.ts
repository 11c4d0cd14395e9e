import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { RefusedTurn, TurnOptions, User } from 'purser'
import type { Schema } from '../../http/schemas.ts'

/** A route that answers a JSON body with a turn. */
export interface TurnRoute {
  /** Without the prefix. */
  readonly path: string
  readonly summary: string
  /** For the API document. */
  readonly body: Schema
  readonly take: TakeTurn
}

/** What a turn uses of a request, which Fastify need not have routed. */
export interface TurnHttpRequest
  extends Pick<FastifyRequest, 'id' | 'raw' | 'headers' | 'url' | 'log' | 'body' | 'identity'> {
  readonly routeOptions: Pick<FastifyRequest['routeOptions'], 'url'>
}

/** Takes the turn of a request. `options` are those that its headers set. */
export type TakeTurn = (request: TurnHttpRequest, user: User, options: TurnOptions) => Promise<ServedTurn>

/** A turn as a route answers it: refused, or an answer that writes itself. */
export type ServedTurn =
  | Pick<RefusedTurn, 'allowed' | 'admission'>
  | {
      readonly allowed: true
      /** `headers`: of every response of this server. */
      pipe(response: ServerResponse, headers: Readonly<Record<string, string>>): Promise<void>
    }
