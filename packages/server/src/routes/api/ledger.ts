import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Bond, User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import {
  ANY_OBJECT,
  ANY_VALUE,
  actOf,
  bodyOf,
  decidedOn,
  expectedVersion,
  listOf,
  numberIn,
  object,
  optionalObject,
  paramOf,
  queryOf,
  reasonedActOf,
  repeatOf,
  requireVersion,
  route,
  TEXT,
  tagged,
  userOf,
  WHOLE_NUMBER,
} from '../../http/route.ts'

const tag = 'ledger'

/** The bond: what it says, what an application reports to it, and what operators do to it. */
export function ledgerRoutes(app: FastifyInstance, house: AppContext): void {
  readRoutes(app, house)
  admissionRoutes(app, house)
  operatorRoutes(app, house)
}

function readRoutes(app: FastifyInstance, house: AppContext): void {
  app.get('/api/users/:id/bond', route('read', { tag, summary: 'The bond.' }), async (request, reply) =>
    tagged(reply, await userOf(request, house).ledger.bond()),
  )
  app.get(
    '/api/users/:id/events',
    route('read', {
      tag,
      summary: 'The event log, newest first.',
      query: { limit: WHOLE_NUMBER, before: WHOLE_NUMBER, types: { ...TEXT, description: 'Separated by commas.' } },
      answer: listOf('Events.'),
    }),
    async (request) => {
      const { limit: asked, before, types } = queryOf(request)
      const limit = numberIn(asked) ?? 50
      const events = await userOf(request, house).ledger.events({
        limit,
        before: numberIn(before),
        types: types?.split(','),
      })
      const last = events.at(-1)
      const more = last !== undefined && events.length === limit && last.sequence > 1
      return { data: events, cursor: more ? String(last.sequence) : null }
    },
  )
  app.get('/api/users/:id/verify', route('read', { tag, summary: 'Checks the chain of events.' }), async (request) =>
    userOf(request, house).ledger.verify(),
  )
  app.get(
    '/api/users/:id/notes',
    route('read', {
      tag,
      summary: "The operators' notes, newest first.",
      query: { limit: WHOLE_NUMBER, before: TEXT },
      answer: listOf('Notes.'),
    }),
    async (request) => {
      const { limit: asked, before } = queryOf(request)
      const limit = numberIn(asked) ?? 50
      const notes = await userOf(request, house).ledger.notes({ limit, before })
      return { data: notes, cursor: limit > 0 && notes.length === limit ? (notes.at(-1)?.id ?? null) : null }
    },
  )
}

function admissionRoutes(app: FastifyInstance, house: AppContext): void {
  app.post(
    '/api/users/:id/admissions',
    route('application:write', { tag, summary: 'Admits one message.', body: optionalObject({ cost: ANY_VALUE }) }),
    async (request) => {
      const { cost } = bodyOf(request) as { cost?: number }
      const user = userOf(request, house)
      await requireVersion(request, user)
      return user.ledger.admit({ cost, ...repeatOf(request) })
    },
  )
  app.post(
    '/api/users/:id/admissions/:ticket/settle',
    route('application:write', {
      tag,
      summary: 'Reports the tokens an admitted message used.',
      params: ['id', 'ticket'],
      body: optionalObject({ inputTokens: ANY_VALUE, outputTokens: ANY_VALUE }),
    }),
    async (request, reply) => {
      await userOf(request, house).ledger.settle(paramOf(request, 'ticket'), bodyOf(request), repeatOf(request))
      return reply.code(204).send()
    },
  )
  app.post(
    '/api/users/:id/admissions/:ticket/refund',
    route('application:write', { tag, summary: 'Gives an admitted message back.', params: ['id', 'ticket'] }),
    async (request) => userOf(request, house).ledger.refund(paramOf(request, 'ticket'), repeatOf(request)),
  )
  app.post(
    '/api/users/:id/detections',
    route('application:write', { tag, summary: 'Reports what was detected; `peaks` beside it.', body: ANY_OBJECT }),
    async (request) => {
      const { peaks, ...detection } = bodyOf(request)
      const options = { peaks: peaks as Record<string, number>, ...repeatOf(request) }
      const user = userOf(request, house)
      await requireVersion(request, user)
      return user.ledger.observe(detection, options)
    },
  )
}

function operatorRoutes(app: FastifyInstance, house: AppContext): void {
  /** With `If-Match`, whoever decides on an old state is told so, in the step that would change it. */
  const change = (act: (user: User, request: FastifyRequest, decided: Decided) => Promise<Bond>) => {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<Bond> => {
      const decided = { expectedVersion: expectedVersion(request), ...repeatOf(request) }
      return tagged(reply, await decidedOn(request, () => act(userOf(request, house), request, decided)))
    }
  }
  app.put(
    '/api/users/:id/cap',
    route('operate', {
      tag,
      summary: 'Sets the daily cap: a whole number, 0 for unlimited, null for the default.',
      body: object({ cap: ANY_VALUE, reason: ANY_VALUE }, ['cap']),
    }),
    change((user, request, decided) =>
      user.ledger.setDailyCap(bodyOf(request).cap as number | null, { ...actOf(request), ...decided }),
    ),
  )
  app.put(
    '/api/users/:id/block',
    route('operate', { tag, summary: 'Blocks a user.', body: optionalObject({ reason: ANY_VALUE, until: ANY_VALUE }) }),
    change((user, request, decided) =>
      user.ledger.block({
        ...reasonedActOf(request),
        ...decided,
        until: bodyOf(request).until as string | undefined,
      }),
    ),
  )
  app.delete(
    '/api/users/:id/block',
    route('operate', { tag, summary: 'Unblocks a user.', body: optionalObject({ reason: ANY_VALUE }) }),
    change((user, request, decided) => user.ledger.unblock({ ...actOf(request), ...decided })),
  )
  app.post(
    '/api/users/:id/correct',
    route('operate', {
      tag,
      summary: 'Corrects phase or risk by hand.',
      body: object({ phase: ANY_VALUE, riskLevel: ANY_VALUE, reason: ANY_VALUE }),
    }),
    change((user, request, decided) => {
      const { reason: _, ...fields } = bodyOf(request)
      return user.ledger.correct(fields, { ...reasonedActOf(request), ...decided })
    }),
  )
  app.put(
    '/api/users/:id/timezone',
    route('tend', {
      tag,
      summary: "Sets the user's time zone; null for the default.",
      body: object({ timeZone: ANY_VALUE, reason: ANY_VALUE }, ['timeZone']),
    }),
    change((user, request, decided) =>
      user.ledger.setTimeZone(bodyOf(request).timeZone as string | null, { ...actOf(request), ...decided }),
    ),
  )
  app.post(
    '/api/users/:id/notes',
    route('operate', { tag, summary: 'Adds a note.', body: object({ text: ANY_VALUE, reason: ANY_VALUE }, ['text']) }),
    async (request) => {
      const by = { ...actOf(request), ...repeatOf(request), expectedVersion: expectedVersion(request) }
      return decidedOn(request, () => userOf(request, house).ledger.addNote(bodyOf(request).text as string, by))
    },
  )
}

/** The state an operator had before them, and the key under which this is done once. */
interface Decided extends ReturnType<typeof repeatOf> {
  readonly expectedVersion: number | undefined
}
