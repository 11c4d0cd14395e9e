import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getQuery, parseNumber } from '../../http/params.ts'
import { listOf } from '../../http/response-schemas.ts'
import { INTEGER, TEXT } from '../../http/schemas.ts'

/** Every change that was made through the management API, by whom, why and from where. */
export function registerAuditRoutes(app: FastifyInstance, { purser }: AppContext): void {
  app.get(
    '/api/audit',
    defineRoute('read', {
      tag: 'audit',
      summary: 'Lists the changes made by operators and callers of this API, newest first.',
      query: {
        actor: TEXT,
        action: { ...TEXT, description: 'Of `data.action`, or types of events; several are separated by commas.' },
        user: TEXT,
        limit: INTEGER,
        cursor: TEXT,
      },
      response: listOf('Event', 'Events; a page may be shorter than its limit and still have a cursor.'),
    }),
    async (request) => {
      const { limit, action, ...query } = getQuery(request)
      const { events, cursor } = await purser.audit({ ...query, action: action?.split(','), limit: parseNumber(limit) })
      return { data: events, cursor }
    },
  )
}
