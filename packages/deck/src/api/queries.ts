import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useQuery,
} from '@tanstack/react-query'
import { now } from '../browser/effects.ts'
import type { UserSearch } from '../browser/location.ts'
import { callApi, type QueryOf } from './client.ts'
import { buildVocabulary, type Vocabulary } from './vocabulary.ts'
import type { Event, Routes, Session } from './wire.ts'

/** Events in one page of a user's log. */
const EVENT_PAGE_SIZE = 100

/** Users in one page of the list. */
export const USER_PAGE_SIZE = 100

/** A part of time, as the API takes it: instants, of which the second is excluded. Absent: open. */
export interface Period {
  readonly from?: string
  readonly to?: string
}

export interface EventPage {
  readonly data: readonly Event[]
}

export type EventPages = InfiniteData<EventPage, number | undefined>

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  /** Resolves to null when signed out. */
  queryFn: ({ signal }): Promise<Session | null> => callApi('GET /api/session', { signal }),
  staleTime: Number.POSITIVE_INFINITY,
})

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => callApi('GET /api/overview', { signal }),
})

/** The phases and risk levels in use, from the overview. */
export function useVocabulary(): Vocabulary {
  return buildVocabulary(useQuery(overviewQuery).data)
}

/** From this used part of the cap on, a user is near the cap. */
const NEAR_CAP = 0.8
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** For each activity, the field of the API and how long before now its instant is. */
const ACTIVITIES: Readonly<Record<string, { readonly field: 'seenSince' | 'seenBefore'; readonly ageMs: number }>> = {
  now: { field: 'seenSince', ageMs: 5 * MINUTE_MS },
  today: { field: 'seenSince', ageMs: DAY_MS },
  '7d': { field: 'seenBefore', ageMs: 7 * DAY_MS },
  '30d': { field: 'seenBefore', ageMs: 30 * DAY_MS },
}

/** The query of the API for a search. Instants are whole minutes, so that equal searches have equal addresses. */
export function userListParams(search: UserSearch): QueryOf<'GET /api/users'> {
  const { nearCap, nearLimit, blocked, activity, ...fields } = search
  const seen = ACTIVITIES[activity]
  const minute = Math.floor(now() / MINUTE_MS) * MINUTE_MS
  return {
    ...fields,
    ...(nearCap === 'true' ? { capUsed: NEAR_CAP } : {}),
    ...(nearLimit === 'true' ? { limitUsed: NEAR_CAP } : {}),
    ...(blocked === 'true' ? { blocked: 'true' } : {}),
    ...(seen === undefined ? {} : { [seen.field]: new Date(minute - seen.ageMs).toISOString() }),
  }
}

/** One page of the list; pages are numbered from 0. */
export function usersQuery(search: UserSearch, page = 0, limit: number = USER_PAGE_SIZE) {
  return queryOptions({
    queryKey: ['users', search, limit, page],
    queryFn: ({ signal }) =>
      callApi('GET /api/users', { query: { ...userListParams(search), limit, offset: page * limit }, signal }),
  })
}

/** The number of users that match. */
export function userCountQuery(search: UserSearch) {
  return queryOptions({
    queryKey: ['users', search, 'total'],
    queryFn: async ({ signal }) =>
      (await callApi('GET /api/users', { query: { ...userListParams(search), limit: 1, total: 'true' }, signal }))
        .total ?? 0,
    placeholderData: keepPreviousData,
  })
}

/** The last change of the risk level. */
export function riskChangeQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'events', 'risk_change', 1],
    queryFn: ({ signal }) =>
      callApi('GET /api/users/{id}/events', {
        params: { id: user },
        query: { limit: 1, types: 'risk_change' },
        signal,
      }),
    staleTime: Number.POSITIVE_INFINITY,
  })
}

export function bondQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'bond'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/bond', { params: { id: user }, signal }),
  })
}

/**
 * The log of a user, of some types separated by commas or '' for all, in a period. A live event is inserted into the log of
 * all types and all time.
 */
export function eventsQuery(user: string, { types = '', period = {} }: { types?: string; period?: Period } = {}) {
  const { from, to } = period
  const isWhole = types === '' && from === undefined && to === undefined
  return infiniteQueryOptions({
    queryKey: ['user', user, 'events', isWhole ? '' : { types, from, to }],
    queryFn: ({ signal, pageParam }): Promise<EventPage> =>
      callApi('GET /api/users/{id}/events', {
        params: { id: user },
        query: { limit: EVENT_PAGE_SIZE, before: pageParam, types, from, to },
        signal,
      }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ data }) => {
      const oldest = data.at(-1)
      return data.length < EVENT_PAGE_SIZE || oldest === undefined || oldest.sequence <= 1 ? undefined : oldest.sequence
    },
  })
}

/** Events that change what the tracks of a timeline show. */
const TRACK_TYPES = 'phase_transition,risk_change,admin_action,limit_reached,limit_change,plan_change'

/** The last of them before an instant. */
export function earlierChangesQuery(user: string, to: string) {
  return queryOptions({
    queryKey: ['user', user, 'events', { types: TRACK_TYPES, to }, 'last'],
    queryFn: ({ signal }): Promise<EventPage> =>
      callApi('GET /api/users/{id}/events', {
        params: { id: user },
        query: { limit: EVENT_PAGE_SIZE, types: TRACK_TYPES, to },
        signal,
      }),
    staleTime: Number.POSITIVE_INFINITY,
  })
}

export function notesQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'notes'],
    queryFn: ({ signal }) =>
      callApi('GET /api/users/{id}/notes', { params: { id: user }, query: { limit: 50 }, signal }),
  })
}

export function limitsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'limits'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/limits', { params: { id: user }, signal }),
  })
}

/** The limits that a turn was the first to reach in their windows. */
export function limitReachedQuery({ user, at }: { readonly user: string; readonly at: string }) {
  const to = new Date(Date.parse(at) + 1_000).toISOString()
  return queryOptions({
    queryKey: ['user', user, 'events', 'limit_reached', at],
    queryFn: ({ signal }) =>
      callApi('GET /api/users/{id}/events', {
        params: { id: user },
        query: { limit: 10, types: 'limit_reached', from: at, to },
        signal,
      }),
    staleTime: Number.POSITIVE_INFINITY,
  })
}

/** The newest actions on a user, and changes of limits and the plan: who changed what is in force. */
export function limitChangesQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'events', 'limit changes'],
    queryFn: ({ signal }) =>
      callApi('GET /api/users/{id}/events', {
        params: { id: user },
        query: { limit: EVENT_PAGE_SIZE, types: 'admin_action,limit_change,plan_change' },
        signal,
      }),
  })
}

/** The context with its receipt. */
export function contextQuery(user: string, options: { readonly mode: string; readonly maxTokens: string }) {
  return queryOptions({
    queryKey: ['user', user, 'context', options],
    queryFn: ({ signal }) =>
      callApi('GET /api/users/{id}/context', { params: { id: user }, query: { ...options, explain: '1' }, signal }),
    placeholderData: keepPreviousData,
  })
}

export function settingsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'runtime'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/runtime', { params: { id: user }, signal }),
  })
}

export function secretsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'secrets'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/secrets', { params: { id: user }, signal }),
  })
}

export function sessionsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'sessions'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/sessions', { params: { id: user }, signal }),
  })
}

export function authorizationsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'authorizations'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/mcp', { params: { id: user }, signal }),
  })
}

export const plansQuery = queryOptions({
  queryKey: ['plans'],
  queryFn: ({ signal }) => callApi('GET /api/plans', { signal }),
})

export const answerStatsQuery = queryOptions({
  queryKey: ['answers'],
  queryFn: ({ signal }) => callApi('GET /api/answers/stats', { signal }),
  refetchInterval: 10_000,
})

export const runtimesQuery = queryOptions({
  queryKey: ['runtimes'],
  queryFn: ({ signal }) => callApi('GET /api/runtimes', { signal }),
  refetchInterval: 10_000,
})

/** Events in one page of the audit log. */
const AUDIT_PAGE_SIZE = 50

export interface AuditFilter {
  readonly actor: string
  readonly action: string
  readonly user: string
}

export function auditQuery(filter: AuditFilter) {
  return infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: ({ signal, pageParam }) =>
      callApi('GET /api/audit', { query: { ...filter, limit: AUDIT_PAGE_SIZE, cursor: pageParam }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ cursor }) => cursor ?? undefined,
  })
}

export const configurationQuery = queryOptions({
  queryKey: ['config'],
  queryFn: ({ signal }) => callApi('GET /api/config', { signal }),
})

export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: ({ signal }) => callApi('GET /api/keys', { signal }),
})

export const webhooksQuery = queryOptions({
  queryKey: ['webhooks'],
  queryFn: ({ signal }) => callApi('GET /api/webhooks', { signal }),
  refetchInterval: 10_000,
})

/** Turns in one page. */
const TURN_PAGE_SIZE = 50

/** '' if not set. */
export interface TurnFilter {
  readonly outcome: string
  readonly user: string
  readonly provider: string
  readonly model: string
  readonly code: string
  /** At least this long in total. */
  readonly minMs: string
}

type TurnParams = QueryOf<'GET /api/turns'>

export function turnListParams({ outcome, ...filter }: TurnFilter, cursor: string | undefined): TurnParams {
  return { ...filter, outcome: outcome as TurnParams['outcome'], order: 'descending', limit: TURN_PAGE_SIZE, cursor }
}

/** Turns of all users, newest first. */
export function turnsQuery(filter: TurnFilter) {
  return infiniteQueryOptions({
    queryKey: ['turns', filter],
    queryFn: ({ signal, pageParam }) => callApi('GET /api/turns', { query: turnListParams(filter, pageParam), signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ cursor }) => cursor ?? undefined,
  })
}

/** Turns in the card of the overview. */
const LATEST_REFUSALS = 7

/** The turns of all users that were refused last. */
export const latestRefusalsQuery = queryOptions({
  queryKey: ['refusals'],
  queryFn: ({ signal }) =>
    callApi('GET /api/turns', { query: { outcome: 'refused', order: 'descending', limit: LATEST_REFUSALS }, signal }),
  refetchInterval: 15_000,
})

/** Turns of one user in a period, newest first. */
export function userTurnsQuery(user: string, { outcome, period }: { outcome: string; period: Period }) {
  return infiniteQueryOptions({
    queryKey: ['user', user, 'turns', { outcome, ...period }],
    queryFn: ({ signal, pageParam }) =>
      callApi('GET /api/users/{id}/turns', {
        params: { id: user },
        query: { limit: TURN_PAGE_SIZE, before: pageParam, outcome: outcome as TurnParams['outcome'], ...period },
        signal,
      }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ cursor }) => cursor ?? undefined,
  })
}

/** What a user has used on each of their days from one on, by default in the last 30 days. */
export function userUsageQuery(user: string, from?: string) {
  return queryOptions({
    queryKey: ['user', user, 'usage', from],
    queryFn: ({ signal }) =>
      callApi('GET /api/users/{id}/usage', { params: { id: user }, query: { by: 'day', from }, signal }),
    placeholderData: keepPreviousData,
  })
}

/** What the stored turns of a user say about the provider's prompt cache. */
export function turnSummaryQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'turns', 'summary'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/turns/summary', { params: { id: user }, signal }),
  })
}

export function storedAnswersQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'answers'],
    queryFn: ({ signal }) => callApi('GET /api/users/{id}/answers', { params: { id: user }, signal }),
  })
}

export type UsageBy = NonNullable<Routes['GET /api/usage']['query']['by']>

/** What all users have used in the last 30 days. */
export function usageQuery(by: UsageBy) {
  return queryOptions({
    queryKey: ['usage', by],
    queryFn: ({ signal }) => callApi('GET /api/usage', { query: { by }, signal }),
    refetchInterval: MINUTE_MS,
  })
}

/** How many turns limits refused from an instant on; the day of the instant counts as a whole. */
export function refusalsSinceQuery(since: string) {
  return queryOptions({
    queryKey: ['usage', 'limit', since],
    queryFn: async ({ signal }) => {
      const { data } = await callApi('GET /api/usage', { query: { by: 'limit', from: since.slice(0, 10) }, signal })
      return data.reduce((sum, { key, refused }) => (key === null ? sum : sum + refused), 0)
    },
  })
}

/** Numbers of users by phase and risk on each of the last 30 days. */
export const daysQuery = queryOptions({
  queryKey: ['days'],
  queryFn: ({ signal }) => callApi('GET /api/overview/days', { signal }),
  refetchInterval: 5 * MINUTE_MS,
})

/** How users went from phase to phase in the last 30 days. */
export const phaseChangesQuery = queryOptions({
  queryKey: ['days', 'phases'],
  queryFn: ({ signal }) => callApi('GET /api/overview/phases', { signal }),
  refetchInterval: 5 * MINUTE_MS,
})

export const instancesQuery = queryOptions({
  queryKey: ['instances'],
  queryFn: ({ signal }) => callApi('GET /api/instances', { signal }),
  refetchInterval: 10_000,
})

/** Users who need attention that are listed at first, and at most. */
export const ATTENTION_ROWS = { first: 20, most: 200 } as const

/** Who needs attention. */
export function attentionQuery(limit: number) {
  return queryOptions({
    queryKey: ['attention', limit],
    queryFn: ({ signal }) => callApi('GET /api/attention', { query: { limit }, signal }),
    refetchInterval: MINUTE_MS,
    placeholderData: keepPreviousData,
  })
}

/** Percentiles of the turns of the last 24 hours. */
export const latencyQuery = queryOptions({
  queryKey: ['latency'],
  queryFn: ({ signal }) => callApi('GET /api/overview/latency', { signal }),
  refetchInterval: MINUTE_MS,
})

/** What the live list begins with. */
export const latestEventsQuery = queryOptions({
  queryKey: ['latest events'],
  queryFn: ({ signal }) => callApi('GET /api/events/latest', { query: { limit: 50 }, signal }),
})
