import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import {
  DECIMAL,
  FLAG,
  listOf,
  numberIn,
  optionalObject,
  queryOf,
  reasonedActOf,
  requireVersion,
  route,
  TEXT,
  tagged,
  textOf,
  userOf,
  WHOLE_NUMBER,
} from '../../http/route.ts'

const tag = 'users'

/** Everybody, one person, and what a person may ask for: a copy, and to be forgotten. */
export function userRoutes(app: FastifyInstance, house: AppContext): void {
  listRoute(app, house)
  app.get(
    '/api/users/:id',
    route('read', { tag, summary: 'One user: bond, settings and quota.' }),
    async (request, reply) => {
      const user = userOf(request, house)
      const [bond, quota, settings] = await Promise.all([
        user.ledger.bond(),
        user.ledger.quota(),
        user.runtime.settings().catch(() => null),
      ])
      return tagged(reply, { ...bond, quota, settings })
    },
  )
  app.get(
    '/api/users/:id/export',
    route('operate', {
      tag,
      summary: 'Everything kept of a user, as lines of JSON.',
      answer: textOf('application/x-ndjson', 'From a header to the counts of its rows.'),
    }),
    async (request, reply) => {
      const user = userOf(request, house)
      reply.header('content-type', 'application/x-ndjson; charset=utf-8')
      reply.header('content-disposition', 'attachment; filename="export.ndjson"')
      return reply.send(Readable.from(lines(user.export()), { objectMode: false }))
    },
  )
  app.post(
    '/api/users/:id/erase',
    route('administer', { tag, summary: 'Erases a user for good.', body: optionalObject({ reason: TEXT }) }),
    async (request) => {
      const user = userOf(request, house)
      const act = reasonedActOf(request)
      await requireVersion(request, user)
      return user.erase(act)
    },
  )
}

function listRoute(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users',
    route('read', {
      tag,
      summary: 'Lists users.',
      query: {
        phase: TEXT,
        riskLevel: TEXT,
        q: { ...TEXT, description: 'The beginning of the id.' },
        blocked: FLAG,
        capUsed: { ...DECIMAL, description: 'At least this part of the cap is used, 0 to 1.' },
        seenSince: { ...TEXT, description: 'ISO 8601.' },
        orderBy: TEXT,
        order: TEXT,
        limit: WHOLE_NUMBER,
        cursor: TEXT,
      },
      answer: listOf('Bonds.'),
    }),
    async (request) => {
      const { q, blocked, capUsed, limit, ...query } = queryOf(request)
      const page = await house.purser.users({
        ...query,
        prefix: q,
        blocked: blocked === undefined ? undefined : blocked === 'true',
        capUsed: numberIn(capUsed),
        limit: numberIn(limit),
      } as Parameters<typeof house.purser.users>[0])
      return { data: page.users, cursor: page.cursor }
    },
  )
}

async function* lines(rows: AsyncIterable<unknown>): AsyncIterable<string> {
  for await (const row of rows) yield `${JSON.stringify(row)}\n`
}
