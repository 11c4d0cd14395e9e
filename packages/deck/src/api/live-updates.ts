import type { QueryClient } from '@tanstack/react-query'
import type { ServerSentEvent } from 'purser/internal/sse'
import { after } from '../browser/effects.ts'
import { wakeClock } from '../time/clock.ts'
import type { EventPages } from './queries.ts'
import type { LedgerEvent } from './wire.ts'

/** The list is read again at most this often, however lively the service is; the figures above it need less. */
const LIST_PAUSE_MS = 250
const OVERVIEW_PAUSE_MS = 2_000

/**
 * Carries what the live stream says into what the page shows: an event goes straight into the log that is open, and
 * everything else that it may have changed is read again. Reading again is always right; the stream only says when.
 */
export function createNews(queries: QueryClient): {
  take(event: ServerSentEvent): void
  everything(): void
  close(): void
} {
  const list = createPace(LIST_PAUSE_MS, () => void queries.invalidateQueries({ queryKey: ['users'] }))
  const overview = createPace(OVERVIEW_PAUSE_MS, () => void queries.invalidateQueries({ queryKey: ['overview'] }))

  function readLists(): void {
    list.run()
    overview.run()
  }

  function readUser(user: string): void {
    void queries.invalidateQueries({ queryKey: ['user', user, 'bond'] })
  }

  function onLedger(event: LedgerEvent): void {
    insert(queries, event)
    readUser(event.user)
    const action = event.data.action
    if (event.type === 'admin_action') {
      void queries.invalidateQueries({ queryKey: ['user', event.user, 'notes'] })
      if (typeof action === 'string' && !action.startsWith('note')) {
        for (const part of ['runtime', 'secrets', 'sessions']) {
          void queries.invalidateQueries({ queryKey: ['user', event.user, part] })
        }
      }
    }
    readLists()
  }

  function everything(): void {
    wakeClock()
    void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
  }

  return {
    take(event) {
      wakeClock()
      if (event.event === 'gap') return everything()
      const data = parse(event.data)
      if (data === undefined) return
      if (event.event === 'ledger') return onLedger(data as LedgerEvent)
      if (event.event !== 'activity') return
      if ('more' in data)
        void queries.invalidateQueries({ queryKey: ['user'], predicate: ({ queryKey }) => queryKey[2] === 'bond' })
      for (const user of usersOf(data)) readUser(user)
      readLists()
    },
    everything,
    close() {
      list.stop()
      overview.stop()
    },
  }
}

/** Runs something at once, then at most once in every pause; what was asked for meanwhile runs at its end. */
export function createPace(pauseMs: number, act: () => void): { run(): void; stop(): void } {
  let cancel: (() => void) | undefined
  let asked = false
  function run(): void {
    if (cancel !== undefined) {
      asked = true
      return
    }
    act()
    cancel = after(pauseMs, () => {
      cancel = undefined
      if (!asked) return
      asked = false
      run()
    })
  }
  return { run, stop: () => cancel?.() }
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function usersOf(activity: object): readonly string[] {
  const { user, users } = activity as { user?: unknown; users?: unknown }
  const all = Array.isArray(users) ? users : [user]
  return all.filter((one): one is string => typeof one === 'string')
}

/** Puts an event on top of its user's log when it is the next one; any other order means: read the log again. */
function insert(queries: QueryClient, event: LedgerEvent): void {
  const queryKey = ['user', event.user, 'events']
  const pages = queries.getQueryData<EventPages>(queryKey)
  if (pages === undefined) return
  const first = pages.pages[0]
  const newest = first?.data[0]?.sequence ?? 0
  if (first === undefined || event.sequence > newest + 1) {
    void queries.invalidateQueries({ queryKey })
    return
  }
  if (event.sequence <= newest) return
  queries.setQueryData<EventPages>(queryKey, {
    ...pages,
    pages: [{ ...first, data: [event, ...first.data] }, ...pages.pages.slice(1)],
  })
}
