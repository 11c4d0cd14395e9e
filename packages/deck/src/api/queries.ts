import {
  type InfiniteData,
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useQuery,
} from '@tanstack/react-query'
import type { AnswerStats, Bond, Context, Mode, Note, Settings } from 'purser'
import type { UserSearch } from '../browser/location.ts'
import { apiUrl, fetchApi } from './client.ts'
import type { ActiveRuntime, LedgerEvent, List, Overview, RuntimeSession, SecretInfo, Session } from './responses.ts'
import { buildVocabulary, type Vocabulary } from './vocabulary.ts'

/** Events in one page of a user's log. */
const EVENT_PAGE_SIZE = 100

/** Users in one page of the list. */
const USER_PAGE_SIZE = 50

export type EventPages = InfiniteData<List<LedgerEvent>, number | undefined>

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  /** Resolves to null when signed out. */
  queryFn: ({ signal }) => fetchApi<Session | null>(apiUrl(['session']), { signal }),
  staleTime: Number.POSITIVE_INFINITY,
})

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => fetchApi<Overview>(apiUrl(['overview']), { signal }),
})

/** The phases and risk levels in use, from the overview. */
export function useVocabulary(): Vocabulary {
  return buildVocabulary(useQuery(overviewQuery).data)
}

export function usersQuery(search: UserSearch, limit: number = USER_PAGE_SIZE) {
  return queryOptions({
    queryKey: ['users', search, limit],
    queryFn: ({ signal }) => fetchApi<List<Bond>>(apiUrl(['users'], { ...search, limit }), { signal }),
    placeholderData: keepPreviousData,
  })
}

export function bondQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'bond'],
    queryFn: ({ signal }) => fetchApi<Bond>(apiUrl(['users', user, 'bond']), { signal }),
  })
}

export function eventsQuery(user: string) {
  return infiniteQueryOptions({
    queryKey: ['user', user, 'events'],
    queryFn: ({ signal, pageParam }) =>
      fetchApi<List<LedgerEvent>>(apiUrl(['users', user, 'events'], { limit: EVENT_PAGE_SIZE, before: pageParam }), {
        signal,
      }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ data }) => {
      const oldest = data.at(-1)
      return data.length < EVENT_PAGE_SIZE || oldest === undefined || oldest.sequence <= 1 ? undefined : oldest.sequence
    },
  })
}

export function notesQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'notes'],
    queryFn: ({ signal }) => fetchApi<List<Note>>(apiUrl(['users', user, 'notes'], { limit: 50 }), { signal }),
  })
}

export function contextQuery(user: string, mode: Mode) {
  return queryOptions({
    queryKey: ['user', user, 'context', mode],
    queryFn: ({ signal }) => fetchApi<Context>(apiUrl(['users', user, 'context'], { mode }), { signal }),
  })
}

export function settingsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'runtime'],
    queryFn: ({ signal }) => fetchApi<Settings>(apiUrl(['users', user, 'runtime']), { signal }),
  })
}

export function secretsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'secrets'],
    queryFn: ({ signal }) => fetchApi<List<SecretInfo>>(apiUrl(['users', user, 'secrets']), { signal }),
  })
}

export function sessionsQuery(user: string) {
  return queryOptions({
    queryKey: ['user', user, 'sessions'],
    queryFn: ({ signal }) => fetchApi<List<RuntimeSession>>(apiUrl(['users', user, 'sessions']), { signal }),
  })
}

export const answerStatsQuery = queryOptions({
  queryKey: ['answers'],
  queryFn: ({ signal }) => fetchApi<AnswerStats>(apiUrl(['answers', 'stats']), { signal }),
  refetchInterval: 10_000,
})

export const runtimesQuery = queryOptions({
  queryKey: ['runtimes'],
  queryFn: ({ signal }) => fetchApi<List<ActiveRuntime>>(apiUrl(['runtimes']), { signal }),
  refetchInterval: 10_000,
})
