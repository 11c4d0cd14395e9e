import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ListUsersOptions } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { logFault } from '../../app/log-fault.ts'
import { requireAudit } from '../../http/audit.ts'
import { requireMatchingBond, sendVersioned } from '../../http/conditional.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getQuery, getUser, parseNumber } from '../../http/params.ts'
import { listOf, responseOf, withTotal } from '../../http/response-schemas.ts'
import { DECIMAL, FLAG, INTEGER, optionalObjectSchema, TEXT, textSchema } from '../../http/schemas.ts'

const tag = 'users'

/** Listing users, reading one, and what a data subject may request: export and erasure. */
export function registerUserRoutes(app: FastifyInstance, context: AppContext): void {
  registerListRoute(app, context)
  app.get(
    '/api/users/:id',
    defineRoute('read', { tag, summary: 'Returns one user: bond, settings and quota.' }),
    async (request, reply) => {
      const user = getUser(request, context)
      const [bond, quota, settings] = await Promise.all([
        user.ledger.bond(),
        user.ledger.quota(),
        user.runtime.settings().catch(() => null),
      ])
      return sendVersioned(reply, { ...bond, quota, settings })
    },
  )
  app.get(
    '/api/users/:id/export',
    defineRoute('users:moderate', {
      tag,
      summary: 'Exports all stored data of a user as JSON lines, without secrets.',
      response: textSchema('application/x-ndjson', 'A header, the rows, and an end with the counts of the rows.'),
    }),
    async (request, reply) => {
      const user = getUser(request, context)
      reply.header('content-type', 'application/x-ndjson; charset=utf-8')
      reply.header('content-disposition', 'attachment; filename="export.ndjson"')
      return reply.send(Readable.from(toJsonLines(user.export(), request), { objectMode: false }))
    },
  )
  app.post(
    '/api/users/:id/erase',
    defineRoute('admin', {
      tag,
      summary: 'Erases a user permanently.',
      response: responseOf('EraseReceipt'),
      body: optionalObjectSchema({ reason: TEXT }),
    }),
    async (request) => {
      const user = getUser(request, context)
      const audit = requireAudit(request)
      await requireMatchingBond(request, user)
      return user.erase(audit)
    },
  )
}

function registerListRoute(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users',
    defineRoute('read', {
      tag,
      summary: 'Lists users.',
      query: {
        phase: TEXT,
        riskLevel: TEXT,
        q: { ...TEXT, description: 'Part of the id.' },
        plan: TEXT,
        blocked: FLAG,
        capUsed: { ...DECIMAL, description: 'Minimum used fraction of the cap, 0 to 1.' },
        limitUsed: { ...DECIMAL, description: 'Minimum used fraction of one of the limits, 0 to 1.' },
        seenSince: { ...TEXT, description: 'ISO 8601.' },
        seenBefore: { ...TEXT, description: 'Not seen since, ISO 8601.' },
        orderBy: TEXT,
        order: TEXT,
        limit: INTEGER,
        cursor: TEXT,
        offset: { ...INTEGER, description: 'Users of the order that are passed over.' },
        total: { ...FLAG, description: 'Whether `total`, the number of all that match, is in the response.' },
      },
      response: withTotal(listOf('Bond', 'Bonds.')),
    }),
    async (request) => {
      const { q, blocked, capUsed, limitUsed, limit, offset, total, ...query } = getQuery(request)
      const options = {
        ...query,
        contains: q,
        blocked: blocked === undefined ? undefined : blocked === 'true',
        capUsed: parseNumber(capUsed),
        limitUsed: parseNumber(limitUsed),
        limit: parseNumber(limit),
        offset: parseNumber(offset),
      } as ListUsersOptions
      const [page, count] = await Promise.all([
        context.purser.users(options),
        total === 'true' ? context.purser.countUsers(options) : undefined,
      ])
      return { data: page.users, cursor: page.cursor, ...(count === undefined ? {} : { total: count }) }
    },
  )
}

/** A failure ends the response before its last line, which has the counts. */
async function* toJsonLines(rows: AsyncIterable<unknown>, request: FastifyRequest): AsyncIterable<string> {
  try {
    for await (const row of rows) yield `${JSON.stringify(row).replace(LINE_SEPARATORS, escapeSeparator)}\n`
  } catch (error) {
    logFault(request, error)
    throw error
  }
}

/** JSON allows them, but some readers of lines take them for the end of one. */
const LINE_SEPARATORS = /[\u2028\u2029]/g

function escapeSeparator(separator: string): string {
  return `\\u${separator.charCodeAt(0).toString(16)}`
}
