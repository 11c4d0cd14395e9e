import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AdmitOptions, Bond, User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { parseAudit, requireAudit } from '../../http/audit.ts'
import { parseIfMatch, requireMatchingBond, sendVersioned, withPrecondition } from '../../http/conditional.ts'
import { defineRoute } from '../../http/define-route.ts'
import { type IdempotencyOptions, idempotencyOptions } from '../../http/idempotency.ts'
import { getBody, getParam, getQuery, getUser, parseNumber } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { ANY_OBJECT, ANY_VALUE, INTEGER, objectSchema, optionalObjectSchema, PERIOD, TEXT } from '../../http/schemas.ts'

const tag = 'ledger'
const USAGE = {
  inputTokens: ANY_VALUE,
  outputTokens: ANY_VALUE,
  cachedTokens: ANY_VALUE,
  cacheWriteTokens: ANY_VALUE,
  toolCalls: ANY_VALUE,
  cost: ANY_VALUE,
}
const DEFAULT_PAGE_SIZE = 50

/** The ledger: reading it, what an application reports to it, and what operators change. */
export function registerLedgerRoutes(app: FastifyInstance, context: AppContext): void {
  registerQueries(app, context)
  registerAdmissions(app, context)
  registerDetections(app, context)
  registerModeration(app, context)
  registerNotes(app, context)
}

function registerQueries(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/bond',
    defineRoute('read', { tag, summary: 'Returns the bond.', response: responseOf('Bond') }),
    async (request, reply) => sendVersioned(reply, await getUser(request, context).ledger.bond()),
  )
  app.get(
    '/api/users/:id/events',
    defineRoute('read', {
      tag,
      summary: 'Lists the event log, newest first.',
      query: { limit: INTEGER, before: INTEGER, types: { ...TEXT, description: 'Separated by commas.' }, ...PERIOD },
      response: listOf('Event', 'Events.'),
    }),
    async (request) => {
      const query = getQuery(request)
      const limit = parseNumber(query.limit) ?? DEFAULT_PAGE_SIZE
      const events = await getUser(request, context).ledger.events({
        limit,
        before: parseNumber(query.before),
        types: query.types?.split(','),
        from: query.from,
        to: query.to,
      })
      const last = events.at(-1)
      const hasMore = last !== undefined && events.length === limit && last.sequence > 1
      return { data: events, cursor: hasMore ? String(last.sequence) : null }
    },
  )
  app.get(
    '/api/users/:id/verify',
    defineRoute('read', {
      tag,
      summary: 'Verifies the hash chain of the event log.',
      response: responseOf('Verification'),
    }),
    async (request) => getUser(request, context).ledger.verify(),
  )
}

function registerAdmissions(app: FastifyInstance, context: AppContext): void {
  app.post(
    '/api/users/:id/admissions',
    defineRoute('application:write', {
      tag,
      summary: 'Admits one turn.',
      isTraffic: true,
      body: optionalObjectSchema({ cost: ANY_VALUE, model: ANY_VALUE, estimate: ANY_VALUE }),
    }),
    async (request) => {
      const { cost, model, estimate } = getBody(request) as AdmitOptions
      const user = getUser(request, context)
      await requireMatchingBond(request, user)
      return user.ledger.admit({ cost, model, estimate, ...idempotencyOptions(request) })
    },
  )
  app.post(
    '/api/users/:id/admissions/:ticket/settle',
    defineRoute('application:write', {
      tag,
      summary: 'Settles an admission with what it used.',
      isTraffic: true,
      params: ['id', 'ticket'],
      body: optionalObjectSchema(USAGE),
    }),
    async (request, reply) => {
      const ticket = getParam(request, 'ticket')
      await getUser(request, context).ledger.settle(ticket, getBody(request), idempotencyOptions(request))
      return reply.code(204).send()
    },
  )
  app.post(
    '/api/users/:id/admissions/:ticket/refund',
    defineRoute('application:write', {
      tag,
      summary: 'Refunds an admission; returns whether it was still open.',
      isTraffic: true,
      params: ['id', 'ticket'],
    }),
    async (request) =>
      getUser(request, context).ledger.refund(getParam(request, 'ticket'), idempotencyOptions(request)),
  )
}

function registerDetections(app: FastifyInstance, context: AppContext): void {
  app.post(
    '/api/users/:id/detections',
    defineRoute('application:write', {
      tag,
      summary: 'Reports a detection, with `peaks` in the same body.',
      isTraffic: true,
      body: ANY_OBJECT,
    }),
    async (request) => {
      const { peaks, ...detection } = getBody(request)
      const options = { peaks: peaks as Record<string, number>, ...idempotencyOptions(request) }
      const user = getUser(request, context)
      await requireMatchingBond(request, user)
      return user.ledger.observe(detection, options)
    },
  )
}

/** Options of a change: the version the caller decided on, and the idempotency key. */
interface ChangeOptions extends IdempotencyOptions {
  readonly expectedVersion: number | undefined
}

type Change = (user: User, request: FastifyRequest, options: ChangeOptions) => Promise<Bond>

function registerModeration(app: FastifyInstance, context: AppContext): void {
  /** Passes the version of `If-Match` to the change, so that it is checked in the same atomic step. */
  const changeBond = (change: Change) => {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<Bond> => {
      const options = { expectedVersion: parseIfMatch(request), ...idempotencyOptions(request) }
      const user = getUser(request, context)
      return sendVersioned(reply, await withPrecondition(request, () => change(user, request, options)))
    }
  }
  app.put(
    '/api/users/:id/cap',
    defineRoute('users:moderate', {
      tag,
      summary: 'Sets the daily cap: an integer, 0 for unlimited, null for the default.',
      response: responseOf('Bond'),
      body: objectSchema({ cap: ANY_VALUE, reason: ANY_VALUE }, ['cap']),
    }),
    changeBond((user, request, options) =>
      user.ledger.setDailyCap(getBody(request).cap as number | null, { ...parseAudit(request), ...options }),
    ),
  )
  app.put(
    '/api/users/:id/block',
    defineRoute('users:moderate', {
      tag,
      summary: 'Blocks a user.',
      response: responseOf('Bond'),
      body: optionalObjectSchema({ reason: ANY_VALUE, until: ANY_VALUE }),
    }),
    changeBond((user, request, options) => {
      const until = getBody(request).until as string | undefined
      return user.ledger.block({ ...requireAudit(request), ...options, until })
    }),
  )
  app.delete(
    '/api/users/:id/block',
    defineRoute('users:moderate', {
      tag,
      summary: 'Unblocks a user.',
      response: responseOf('Bond'),
      body: optionalObjectSchema({ reason: ANY_VALUE }),
    }),
    changeBond((user, request, options) => user.ledger.unblock({ ...parseAudit(request), ...options })),
  )
  app.post(
    '/api/users/:id/correct',
    defineRoute('users:moderate', {
      tag,
      summary: 'Overrides the phase or the risk level.',
      response: responseOf('Bond'),
      body: objectSchema({ phase: ANY_VALUE, riskLevel: ANY_VALUE, reason: ANY_VALUE }),
    }),
    changeBond((user, request, options) => {
      const { reason: _, ...fields } = getBody(request)
      return user.ledger.correct(fields, { ...requireAudit(request), ...options })
    }),
  )
  app.put(
    '/api/users/:id/timezone',
    defineRoute('users:write', {
      tag,
      summary: "Sets the user's time zone; null for the default.",
      response: responseOf('Bond'),
      body: objectSchema({ timeZone: ANY_VALUE, reason: ANY_VALUE }, ['timeZone']),
    }),
    changeBond((user, request, options) =>
      user.ledger.setTimeZone(getBody(request).timeZone as string | null, { ...parseAudit(request), ...options }),
    ),
  )
}

function registerNotes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/notes',
    defineRoute('read', {
      tag,
      summary: "Lists the operators' notes, newest first.",
      query: { limit: INTEGER, before: TEXT },
      response: listOf('Note', 'Notes.'),
    }),
    async (request) => {
      const query = getQuery(request)
      const limit = parseNumber(query.limit) ?? DEFAULT_PAGE_SIZE
      const notes = await getUser(request, context).ledger.notes({ limit, before: query.before })
      return { data: notes, cursor: limit > 0 && notes.length === limit ? (notes.at(-1)?.id ?? null) : null }
    },
  )
  app.post(
    '/api/users/:id/notes',
    defineRoute('users:moderate', {
      tag,
      summary: 'Adds a note.',
      response: responseOf('Note'),
      body: objectSchema({ text: ANY_VALUE, reason: ANY_VALUE }, ['text']),
    }),
    async (request) => {
      const expectedVersion = parseIfMatch(request)
      const options = { ...parseAudit(request), ...idempotencyOptions(request), expectedVersion }
      return withPrecondition(request, () =>
        getUser(request, context).ledger.addNote(getBody(request).text as string, options),
      )
    },
  )
}
