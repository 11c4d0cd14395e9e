import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getQuery, parseNumber } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { INTEGER } from '../../http/schemas.ts'
import { findAttention } from '../../overview/find-attention.ts'

const DAY_MS = 86_400_000
const DEFAULT_EVENTS = 50
const DEFAULT_ROWS = 20
const MAX_ROWS = 200

/** `GET /api/attention`: who needs attention, by the rules of `server.attention…`. */
export function registerAttentionRoutes(app: FastifyInstance, { purser, options, effects }: AppContext): void {
  app.get(
    '/api/attention',
    defineRoute('read', {
      tag: 'users',
      summary: 'Lists the users who need attention, the most urgent ones first, and counts all of them.',
      query: { limit: INTEGER },
      response: responseOf('Attention'),
    }),
    async (request) => {
      const limit = Math.min(parseNumber(getQuery(request).limit) ?? DEFAULT_ROWS, MAX_ROWS)
      return findAttention({ purser, options, now: effects.now }, limit)
    },
  )
  app.get(
    '/api/events/latest',
    defineRoute('read', {
      tag: 'events',
      summary: 'Lists the latest events of all users, of the last 24 hours, newest first.',
      query: { limit: INTEGER },
      response: listOf('Event', 'Events.'),
    }),
    async (request) => {
      const limit = Math.min(parseNumber(getQuery(request).limit) ?? DEFAULT_EVENTS, MAX_ROWS)
      const since = new Date(effects.now() - DAY_MS).toISOString()
      const { events } = await purser.recentEvents({ since, limit })
      return { data: events, cursor: null }
    },
  )
}
