import type { QueryClient, QueryFilters, QueryKey } from '@tanstack/react-query'
import type { ServerSentEvent } from 'purser/internal/sse'
import { setTimer } from '../browser/effects.ts'
import { advanceClock } from '../time/clock.ts'
import { addToTail } from './event-tail.ts'
import type { EventPages } from './queries.ts'
import type { Event } from './wire.ts'

/** Shortest time between two refetches of the user list, of the turns and sums of users, and of the overview. */
const LIST_INTERVAL_MS = 250
const USER_TURNS_INTERVAL_MS = 1_000
const OVERVIEW_INTERVAL_MS = 3_000

/** Activity of more users than an event names. */
const ALL_USERS = Symbol('all users')

export interface LiveUpdates {
  /** Applies one server-sent event. */
  apply(event: ServerSentEvent): void
  /** Refetches everything but the session. */
  refetchAll(): void
  close(): void
}

/**
 * Applies the event stream to the query cache: a ledger event is inserted into the loaded log of its user, and queries
 * that it may have changed are invalidated. The stream only decides when to refetch, so a lost event does no harm.
 */
export function createLiveUpdates(queryClient: QueryClient): LiveUpdates {
  const invalidate = (filters: QueryFilters): void => invalidateSettled(queryClient, filters)
  const refetchList = throttle(() => invalidate({ queryKey: ['users'] }), LIST_INTERVAL_MS)
  const refetchOverview = throttle(() => {
    for (const name of ['overview', 'attention', 'turns']) {
      invalidate({ queryKey: [name] })
    }
  }, OVERVIEW_INTERVAL_MS)

  const userTurns = createTurnRefetch(queryClient)
  const refetchAudit = throttle(() => invalidate({ queryKey: ['audit'] }), OVERVIEW_INTERVAL_MS)

  function refetchLists(): void {
    refetchList.run()
    refetchOverview.run()
  }

  function refetchUser(user: string, part: string): void {
    invalidate({ queryKey: ['user', user, part] })
  }

  function applyLedgerEvent(event: Event): void {
    insertEvent(queryClient, event)
    addToTail([event])
    refetchUser(event.user, 'bond')
    refetchUser(event.user, 'limits')
    invalidate({
      queryKey: ['user', event.user, 'events'],
      predicate: ({ queryKey }) => queryKey[3] !== '',
    })
    refetchAudit.run()
    const action = event.data.action
    if (event.type === 'admin_action') {
      refetchUser(event.user, 'notes')
      if (typeof action === 'string' && !action.startsWith('note')) {
        for (const part of ['runtime', 'secrets', 'sessions']) refetchUser(event.user, part)
      }
    }
    refetchLists()
  }

  function applyActivity(activity: object): void {
    // `more`: more users changed than the event lists.
    if ('more' in activity)
      invalidate({
        queryKey: ['user'],
        predicate: ({ queryKey }) => queryKey[2] === 'bond' || queryKey[2] === 'limits',
      })
    for (const user of usersOf(activity)) {
      refetchUser(user, 'bond')
      refetchUser(user, 'limits')
    }
    userTurns.refetch('more' in activity ? [ALL_USERS] : usersOf(activity))
    refetchLists()
  }

  function refetchAll(): void {
    advanceClock()
    const all = { predicate: ({ queryKey }: { queryKey: QueryKey }): boolean => queryKey[0] !== 'session' }
    // A first request on its way would be joined instead, and it may have read before the stream began.
    void queryClient.cancelQueries(all).then(() => queryClient.invalidateQueries(all))
  }

  return {
    apply({ event, data: text }) {
      advanceClock()
      if (event === 'gap') return refetchAll()
      const data = parseObject(text)
      if (data === undefined) return
      if (event === 'ledger') applyLedgerEvent(data as Event)
      else if (event === 'activity') applyActivity(data)
    },
    refetchAll,
    close() {
      refetchList.cancel()
      refetchOverview.cancel()
      userTurns.cancel()
      refetchAudit.cancel()
    },
  }
}

/**
 * Refetches queries, but none that has failed and is about to try again: it would begin anew with each event, and never
 * show its error.
 */
function invalidateSettled(queryClient: QueryClient, { predicate, ...filters }: QueryFilters): void {
  void queryClient.invalidateQueries({
    ...filters,
    predicate: (query) => {
      const { data, fetchStatus, fetchFailureCount } = query.state
      const isRetrying = data === undefined && fetchStatus !== 'idle' && fetchFailureCount > 0
      return !isRetrying && (predicate === undefined || predicate(query))
    },
  })
}

/** Refetches the turns and sums of users that have turns, coalesced. */
function createTurnRefetch(queryClient: QueryClient): {
  refetch(users: readonly (string | typeof ALL_USERS)[]): void
  cancel(): void
} {
  const waiting = new Set<unknown>()
  const throttled = throttle(() => {
    const users = new Set(waiting)
    waiting.clear()
    invalidateSettled(queryClient, {
      queryKey: ['user'],
      predicate: ({ queryKey: [, user, part] }) =>
        (part === 'turns' || part === 'usage') && (users.has(ALL_USERS) || users.has(user)),
    })
  }, USER_TURNS_INTERVAL_MS)
  return {
    refetch(users) {
      for (const user of users) waiting.add(user)
      throttled.run()
    },
    cancel: throttled.cancel,
  }
}

/** Runs `callback` at once, then at most once per interval; calls in between run once at the end of the interval. */
function throttle(callback: () => void, intervalMs: number): { run(): void; cancel(): void } {
  let cancelTimer: (() => void) | undefined
  let isPending = false
  function run(): void {
    if (cancelTimer !== undefined) {
      isPending = true
      return
    }
    callback()
    cancelTimer = setTimer(() => {
      cancelTimer = undefined
      if (!isPending) return
      isPending = false
      run()
    }, intervalMs)
  }
  return { run, cancel: () => cancelTimer?.() }
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function usersOf(activity: object): readonly string[] {
  const { user, users } = activity as { user?: unknown; users?: unknown }
  const ids = Array.isArray(users) ? users : [user]
  return ids.filter((id): id is string => typeof id === 'string')
}

/** Inserts an event at the top of its user's loaded log if it is the next one; otherwise the log is refetched. */
function insertEvent(queryClient: QueryClient, event: Event): void {
  const queryKey = ['user', event.user, 'events', '']
  const pages = queryClient.getQueryData<EventPages>(queryKey)
  if (pages === undefined) return
  const first = pages.pages[0]
  const newest = first?.data[0]?.sequence ?? 0
  if (first === undefined || event.sequence > newest + 1) {
    void queryClient.invalidateQueries({ queryKey })
    return
  }
  if (event.sequence <= newest) return
  queryClient.setQueryData<EventPages>(queryKey, {
    ...pages,
    pages: [{ ...first, data: [event, ...first.data] }, ...pages.pages.slice(1)],
  })
}
