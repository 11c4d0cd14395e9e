import { type InfiniteData, infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import { apiUrl, call } from './client.ts'
import type {
  ActiveRuntime,
  AnswerStats,
  Bond,
  Context,
  LedgerEvent,
  List,
  Note,
  Overview,
  RuntimeSession,
  SecretName,
  Session,
  Settings,
} from './wire.ts'

/** Events are read in pages of this many. */
export const EVENT_PAGE = 100

/** What the list of users is asked for; the same names stand in the page's URL. */
export interface UserSearch {
  readonly q: string
  readonly phase: string
  readonly riskLevel: string
  readonly blocked: string
  readonly orderBy: string
  readonly order: string
  readonly cursor: string
}

export type EventPages = InfiniteData<List<LedgerEvent>, number | undefined>

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  /** null: nobody is signed in. */
  queryFn: ({ signal }) => call<Session | null>(apiUrl(['session']), { signal }),
  staleTime: Number.POSITIVE_INFINITY,
})

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => call<Overview>(apiUrl(['overview']), { signal }),
})

/** A page of the list holds this many users. */
const USER_PAGE = 50

export function usersQuery(search: UserSearch, limit: number = USER_PAGE) {
  return queryOptions({
    queryKey: ['users', search, limit],
    queryFn: ({ signal }) => call<List<Bond>>(apiUrl(['users'], { ...search, limit }), { signal }),
    placeholderData: keepPreviousData,
  })
}

export function bondQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'bond'],
    queryFn: ({ signal }) => call<Bond>(apiUrl(['users', user, 'bond']), { signal }),
  })
}

export function eventsQuery(user: string) {
  return infiniteQueryOptions({
    queryKey: ['user', user, 'events'],
    queryFn: ({ signal, pageParam }) =>
      call<List<LedgerEvent>>(apiUrl(['users', user, 'events'], { limit: EVENT_PAGE, before: pageParam }), { signal }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ data }) => {
      const oldest = data.at(-1)
      return data.length < EVENT_PAGE || oldest === undefined || oldest.sequence <= 1 ? undefined : oldest.sequence
    },
  })
}

export function notesQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'notes'],
    queryFn: ({ signal }) => call<List<Note>>(apiUrl(['users', user, 'notes'], { limit: 50 }), { signal }),
  })
}

export function contextQuery(user: string, mode: 'reuse' | 'create') {
  return queryOptions({
    queryKey: ['user', user, 'context', mode],
    queryFn: ({ signal }) => call<Context>(apiUrl(['users', user, 'context'], { mode }), { signal }),
  })
}

export function settingsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'runtime'],
    queryFn: ({ signal }) => call<Settings>(apiUrl(['users', user, 'runtime']), { signal }),
  })
}

export function secretsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'secrets'],
    queryFn: ({ signal }) => call<List<SecretName>>(apiUrl(['users', user, 'secrets']), { signal }),
  })
}

export function sessionsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'sessions'],
    queryFn: ({ signal }) => call<List<RuntimeSession>>(apiUrl(['users', user, 'sessions']), { signal }),
  })
}

export const answersQuery = queryOptions({
  queryKey: ['answers'],
  queryFn: ({ signal }) => call<AnswerStats>(apiUrl(['answers', 'stats']), { signal }),
  refetchInterval: 10_000,
})

export const runtimesQuery = queryOptions({
  queryKey: ['runtimes'],
  queryFn: ({ signal }) => call<List<ActiveRuntime>>(apiUrl(['runtimes']), { signal }),
  refetchInterval: 10_000,
})
