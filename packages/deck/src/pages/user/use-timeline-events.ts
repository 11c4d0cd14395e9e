import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { type EventPage, earlierChangesQuery, eventsQuery } from '../../api/queries.ts'
import type { Event } from '../../api/wire.ts'
import type { Pages } from '../../components/paged-table.tsx'
import type { Query } from '../../components/query-result.tsx'
import type { PageRange } from './page-range.ts'

/** Pages of a range that are loaded for the timeline by themselves. */
const MAX_PAGES = 10

export interface TimelineEvents {
  /** Newest first. */
  readonly events: readonly Event[]
  /** Since when all events of the range are loaded, epoch ms. */
  readonly knownFrom: number
  /** Whether all events from there to the present are loaded. */
  readonly isCurrent: boolean
  readonly isLoaded: boolean
  /** Where they come from. */
  readonly log: Query<unknown>
}

/**
 * The events that the timeline shows: those of a range, and the last changes before it, which say what held when it began.
 * A log that is loaded in full is used as it is.
 */
export function useTimelineEvents(user: string, range: PageRange): TimelineEvents {
  const newest = useInfiniteQuery(eventsQuery(user))
  const isWhole = newest.data !== undefined && !newest.hasNextPage
  const ranged = useRangedEvents(user, range, { isWanted: !isWhole })
  return isWhole
    ? { events: eventsOf(newest), knownFrom: range.from, isCurrent: true, isLoaded: true, log: newest }
    : ranged
}

function useRangedEvents(user: string, range: PageRange, { isWanted }: { isWanted: boolean }): TimelineEvents {
  const log = useInfiniteQuery({ ...eventsQuery(user, { period: range.period }), enabled: isWanted })
  const isChosen = range.preset === null
  useFirstPages(log, { isWanted: isWanted && isChosen, loaded: log.data?.pages.length ?? 0 })
  const isLoaded = log.data !== undefined
  const isComplete = isLoaded && !log.hasNextPage
  const start = isComplete ? (range.period.from ?? '') : ''
  const earlier = useQuery({ ...earlierChangesQuery(user, start), enabled: isWanted && start !== '' })
  const events = eventsOf(log)
  return {
    events: start === '' ? events : [...events, ...(earlier.data?.data ?? [])],
    knownFrom: isComplete ? range.from : Date.parse(events.at(-1)?.at ?? '') || range.to,
    isCurrent: !isChosen,
    isLoaded,
    log,
  }
}

function eventsOf({ data }: { readonly data: { readonly pages: readonly EventPage[] } | undefined }): readonly Event[] {
  return data?.pages.flatMap((page) => page.data) ?? []
}

/** Loads the first pages of a list, one after the other. */
function useFirstPages(log: Pages, { isWanted, loaded }: { isWanted: boolean; loaded: number }): void {
  const mustLoad = isWanted && log.hasNextPage && !log.isFetchingNextPage && loaded < MAX_PAGES
  useEffect(() => {
    if (mustLoad) void log.fetchNextPage()
  }, [mustLoad, loaded])
}
