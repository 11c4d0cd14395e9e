import type { FastifyInstance } from 'fastify'
import type { TurnOutcome, TurnRecord, UsageBy, User, UserUsageBy } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getQuery, getUser, parseNumber } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { INTEGER, PERIOD, type Schema, TEXT } from '../../http/schemas.ts'
import { formatUsageCsv } from '../../http/usage-csv.ts'
import { measureLatency } from '../../overview/measure-latency.ts'
import { summarizeTurns } from '../../overview/summarize-turns.ts'

const tag = 'turns'
const DEFAULT_PAGE_SIZE = 50
const MAX_PAGE_SIZE = 1_000

const OUTCOME = { type: 'string', enum: ['completed', 'failed', 'cancelled', 'refused'] }
const DAY = { ...TEXT, description: 'A day, `2026-11-29`, a month, or an instant.' }
const RANGE = { from: DAY, to: { ...DAY, description: 'The first day that is excluded.' } }
const USER_BY = { type: 'string', enum: ['hour', 'day', 'month', 'model', 'limit'] }
export const USER_TURNS_QUERY: Readonly<Record<string, Schema>> = {
  limit: INTEGER,
  before: TEXT,
  outcome: OUTCOME,
  ...PERIOD,
}
export const USER_USAGE_QUERY: Readonly<Record<string, Schema>> = { ...RANGE, by: USER_BY }
const BY = { type: 'string', enum: [...USER_BY.enum, 'user', 'plan', 'provider'] }

/** Records of turns, and what they add up to. */
export function registerTurnRoutes(app: FastifyInstance, context: AppContext): void {
  registerUserRoutes(app, context)
  registerSummary(app, context)
  registerFigures(app, context)
  app.get(
    '/api/turns',
    defineRoute('read', {
      tag,
      summary: 'Lists the turns of all users, or of one, oldest first.',
      query: {
        user: TEXT,
        outcome: OUTCOME,
        provider: TEXT,
        model: TEXT,
        code: { ...TEXT, description: 'The error code, or the limit that refused.' },
        minMs: { ...INTEGER, description: 'At least this long in total.' },
        order: { type: 'string', enum: ['ascending', 'descending'] },
        limit: INTEGER,
        cursor: { ...TEXT, description: 'The id of a turn: only turns after it, in the order that is asked for.' },
      },
      response: listOf('TurnRecord', 'Turns.'),
    }),
    async (request) => {
      const { user, outcome, order, limit, cursor } = getQuery(request)
      const size = Math.min(parseNumber(limit) ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
      const turns = context.purser.turns({
        user,
        outcome: outcome as TurnOutcome | undefined,
        order: order as 'ascending' | 'descending' | undefined,
        after: cursor,
      })
      return takePage(turns, { size, matches: turnFilter(getQuery(request)) })
    },
  )
  app.get(
    '/api/usage',
    defineRoute('read', {
      tag,
      summary: 'Returns what all users have used, as JSON or as a table (CSV).',
      query: { ...RANGE, by: BY, limit: INTEGER, format: { type: 'string', enum: ['json', 'csv'] } },
      response: listOf('UsageSum', 'Sums.'),
    }),
    async (request, reply) => {
      const { from, to, by, limit, format } = getQuery(request)
      const data = await context.purser.usage({ from, to, by: by as UsageBy | undefined, limit: parseNumber(limit) })
      if (format !== 'csv') return { data, cursor: null }
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="usage.csv"')
        .send(formatUsageCsv(data))
    },
  )
}

/** Figures over all users, for the first page of the Deck. */
function registerFigures(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/overview/days',
    defineRoute('read', {
      tag,
      summary: 'Returns the numbers of users by phase and risk of each day (UTC), oldest first.',
      query: RANGE,
      response: listOf('OverviewDay', 'Days.'),
    }),
    async (request) => {
      const { from, to } = getQuery(request)
      return { data: await context.purser.overviewByDay({ from, to }), cursor: null }
    },
  )
  app.get(
    '/api/overview/phases',
    defineRoute('read', {
      tag,
      summary: 'Returns how users went from phase to phase in a period of days (UTC), and after which median time.',
      query: RANGE,
      response: listOf('PhaseChange', 'Changes of phase.'),
    }),
    async (request) => {
      const { from, to } = getQuery(request)
      return { data: await context.purser.phaseChanges({ from, to }), cursor: null }
    },
  )
  app.get(
    '/api/overview/latency',
    defineRoute('read', {
      tag,
      summary: 'Returns percentiles of the times of the turns of the last 24 hours, and what their models were told.',
      response: responseOf('Latency'),
    }),
    async () => measureLatency(context.purser, context.effects.now()),
  )
}

function registerSummary(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/turns/summary',
    defineRoute('read', {
      tag,
      summary: 'Adds up the stored turns of a user: equal prefixes of prompts, and tokens that providers had cached.',
      response: responseOf('TurnSummary'),
    }),
    (request) => summarizeTurns(getUser(request, context)),
  )
}

function registerUserRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/turns',
    defineRoute('read', {
      tag,
      summary: 'Lists the turns of a user, newest first.',
      query: USER_TURNS_QUERY,
      response: listOf('TurnRecord', 'Turns.'),
    }),
    (request) => pageOfTurns(getUser(request, context), getQuery(request)),
  )
  app.get(
    '/api/users/:id/usage',
    defineRoute('read', {
      tag,
      summary: 'Returns what a user has used.',
      query: USER_USAGE_QUERY,
      response: listOf('UsageSum', 'Sums.'),
    }),
    async (request) => {
      const { from, to, by } = getQuery(request)
      const data = await getUser(request, context).usage({ from, to, by: by as UserUsageBy | undefined })
      return { data, cursor: null }
    },
  )
}

export interface TurnPage {
  readonly data: readonly TurnRecord[]
  readonly cursor: string | null
}

/** One page of the turns of a user, as `USER_TURNS_QUERY` asks for it. */
export async function pageOfTurns(
  user: Pick<User, 'turns'>,
  { limit, outcome, before, from, to }: Query,
): Promise<TurnPage> {
  const size = parseNumber(limit) ?? DEFAULT_PAGE_SIZE
  const turns = await user.turns({ limit: size, before, outcome: outcome as TurnOutcome | undefined, from, to })
  return pageOf(turns, size)
}

/** A full page may be followed by another one. */
export function pageOf(data: readonly TurnRecord[], size: number): TurnPage {
  return { data, cursor: data.length === size ? (data.at(-1)?.id ?? null) : null }
}

type Query = Readonly<Record<string, string | undefined>>

function turnFilter({ provider, model, code, minMs }: Query): (turn: TurnRecord) => boolean {
  const minTotalMs = parseNumber(minMs) ?? 0
  return (turn) =>
    turn.totalMs >= minTotalMs &&
    (provider === undefined || turn.provider === provider) &&
    (model === undefined || turn.model === model) &&
    (code === undefined || turn.code === code || turn.limit === code)
}

/** Turns that are looked at for one page. */
const MAX_SCANNED = 10_000

/** The first turns that match; after `MAX_SCANNED` a shorter page, whose cursor goes on from there. */
async function takePage(
  turns: AsyncIterable<TurnRecord>,
  { size, matches }: { readonly size: number; matches(turn: TurnRecord): boolean },
): Promise<TurnPage> {
  const data: TurnRecord[] = []
  let scanned = 0
  if (size === 0) return { data, cursor: null }
  for await (const turn of turns) {
    scanned += 1
    if (matches(turn)) data.push(turn)
    if (data.length === size || scanned === MAX_SCANNED) return { data, cursor: turn.id }
  }
  return { data, cursor: null }
}
