import './user-page.css'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactElement, useEffect, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { isMeantBy } from '../../api/event-labels.ts'
import { bondQuery, eventsQuery, riskChangeQuery, useVocabulary } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, Event } from '../../api/wire.ts'
import { useShortcuts } from '../../browser/keyboard.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { Card, Surface } from '../../components/card.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { type Query, QueryResult } from '../../components/query-result.tsx'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { useNow } from '../../time/clock.ts'
import { ActivityCharts } from './activity-charts.tsx'
import { ContextPreview } from './context-preview.tsx'
import { EventList } from './event-list.tsx'
import { formatPageRange, isWithin, type PageRange, parsePageRange } from './page-range.ts'
import { RecentChangesCard } from './recent-changes-card.tsx'
import { RiskCalendar } from './risk-calendar.tsx'
import { RuntimePanel } from './runtime-panel.tsx'
import type { TimeRange } from './segment.ts'
import { Sidebar } from './sidebar.tsx'
import { Timeline } from './timeline.tsx'
import { TurnsPanel } from './turns-panel.tsx'
import { useTimelineEvents } from './use-timeline-events.ts'
import { UserHeader } from './user-header.tsx'

const TABS = [
  ['events', 'Events'],
  ['turns', 'Turns'],
  ['context', 'Context'],
  ['runtime', 'Runtime'],
] as const

type TabName = (typeof TABS)[number][0]

/** Shortest time that is shown, so that a user who was created a moment ago has a timeline. */
const MIN_EXTENT_MS = 1_000

/** One user, updated live. */
export function UserPage({ user }: { user: string }): ReactElement {
  const bond = useQuery(bondQuery(user))
  const vocabulary = useVocabulary()
  const [, navigate] = useLocation()
  usePageTitle(user)
  // Not its result: browsers return a promise, which is no clean-up.
  useEffect(() => void window.scrollTo({ top: 0 }), [user])
  useShortcuts({ u: () => navigate('/users') })
  if (bond.data === undefined) {
    return (
      <Page>
        <PageHeader title={user} />
        <QueryResult query={bond} name={user} lines={16} shape="card">
          {() => null}
        </QueryResult>
      </Page>
    )
  }
  return bond.data.exists ? <ExistingUser bond={bond.data} vocabulary={vocabulary} /> : <UnknownUser user={user} />
}

function UnknownUser({ user }: { user: string }): ReactElement {
  return (
    <EmptyState title="Unknown user">
      <p>
        <strong className="mono">{user}</strong> has never been seen, or was erased.
      </p>
      <p>
        <a href="#/users">All users</a>
      </p>
    </EmptyState>
  )
}

function ExistingUser({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const log = useInfiniteQuery(eventsQuery(bond.user))
  const events: readonly Event[] = log.data?.pages.flatMap(({ data }) => data) ?? []
  const [tabParam, setTabParam] = useSearchParam('tab')
  const [types, setTypes] = useSearchParam('types')
  const [rangeText, setRange] = useSearchParam('range')
  const [openSequence, setOpenSequence] = useState<number | null>(null)
  const extent = useExtent(bond, events)
  const range = parsePageRange(rangeText, extent)
  const knownFrom = log.hasNextPage ? Date.parse(events.at(-1)?.at ?? '') || extent.to : extent.from
  const shown = useTimelineEvents(bond.user, range)
  const riskSince = useQuery(riskChangeQuery(bond.user)).data?.data[0]?.at ?? null
  const tab = parseTab(tabParam)
  const isLoaded = log.data !== undefined && shown.isLoaded
  useDetailsOnArrival(tabParam !== '' || types !== '', isLoaded)

  function selectTab(name: TabName): void {
    setTabParam(name === 'events' ? '' : name)
  }

  function openEvent(sequence: number): void {
    selectTab('events')
    setTypes('')
    // The change before a range, which the range begins with.
    const at = shown.events.find((event) => event.sequence === sequence)?.at
    if (at !== undefined && !isWithin(at, range)) setRange(formatPageRange({ from: Date.parse(at), to: range.to }))
    // Reset first, so that an event that is opened again is scrolled into view again.
    setOpenSequence(null)
    requestAnimationFrame(() => setOpenSequence(sequence))
  }

  function showEvents(preset: string | null): void {
    selectTab('events')
    setTypes('')
    if (preset !== null) setRange(preset)
    scrollToDetails()
  }

  return (
    <Page>
      <UserHeader bond={bond} vocabulary={vocabulary} riskSince={riskSince} />
      <div className="user-page__grid">
        <div className="user-page__changes">
          <RecentChangesCard bond={bond} range={range} vocabulary={vocabulary} showEvents={showEvents} />
        </div>
        <div className="user-page__timeline">
          {!isLoaded ? (
            <TimelinePlaceholder log={log.isError ? log : shown.log} />
          ) : (
            <Timeline
              bond={bond}
              shown={shown}
              extent={extent}
              range={range}
              vocabulary={vocabulary}
              setRange={setRange}
              openEvent={openEvent}
            />
          )}
        </div>
        <div className="user-page__activity">
          <ActivityCharts bond={bond} range={range} />
          {log.data !== undefined && (
            <RiskCalendar
              bond={bond}
              events={events}
              known={{ from: knownFrom, to: extent.to }}
              vocabulary={vocabulary}
            />
          )}
        </div>
        <Sidebar bond={bond} />
        <Surface className="user-page__details" id="details" label="Details">
          <Tabs selected={tab} select={selectTab} />
          <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} className="user-page__panel">
            {tab === 'turns' && <TurnsPanel bond={bond} range={range} />}
            {tab === 'context' && <ContextPreview bond={bond} />}
            {tab === 'runtime' && <RuntimePanel bond={bond} />}
            {tab === 'events' && (
              <EventPanel
                bond={bond}
                vocabulary={vocabulary}
                range={range}
                types={types}
                setTypes={setTypes}
                openSequence={openSequence}
              />
            )}
          </div>
        </Surface>
      </div>
    </Page>
  )
}

function parseTab(text: string): TabName {
  return TABS.find(([name]) => name === text)?.[0] ?? 'events'
}

/** Scrolls to the tabs, once, when the address that was opened asks for one of them. */
function useDetailsOnArrival(isAsked: boolean, isLoaded: boolean): void {
  const isWanted = useRef(isAsked)
  useEffect(() => {
    // After the page has been scrolled to its start.
    if (isLoaded && isWanted.current) requestAnimationFrame(scrollToDetails)
  }, [isLoaded])
}

/** Until the events are there, or the error. */
function TimelinePlaceholder({ log }: { log: Query<unknown> }): ReactElement {
  return (
    <Card title="Timeline" id="timeline">
      <QueryResult query={{ ...log, data: undefined }} name="the timeline" lines={9}>
        {() => null}
      </QueryResult>
    </Card>
  )
}

function scrollToDetails(): void {
  document.getElementById('details')?.scrollIntoView({ block: 'start' })
}

/** From the first event of the user to now. The page's clock ticks every 10 s: an event since then is not cut off. */
function useExtent(bond: Bond, events: readonly Event[]): TimeRange {
  const now = useNow()
  const newest = events[0] === undefined ? 0 : Date.parse(events[0].at) + 1
  const oldest = Math.min(Date.parse(bond.createdAt ?? '') || now, Date.parse(events.at(-1)?.at ?? '') || now)
  const to = Math.max(now, newest)
  return { from: Math.min(oldest, to - MIN_EXTENT_MS), to }
}

/** The log of some types; all types are shared with the timeline. */
function EventPanel(props: {
  bond: Bond
  vocabulary: Vocabulary
  range: PageRange
  types: string
  setTypes(types: string): void
  openSequence: number | null
}): ReactElement {
  const { bond, types, range } = props
  const log = useInfiniteQuery(eventsQuery(bond.user, { types, period: range.period }))
  const events = log.data?.pages.flatMap(({ data }) => data).filter((event) => isMeantBy(types, event)) ?? []
  return (
    <QueryResult query={log} name="events" lines={6}>
      {() => (
        <EventList
          types={types}
          setTypes={props.setTypes}
          events={events}
          timeZone={bond.timeZone}
          vocabulary={props.vocabulary}
          openSequence={props.openSequence}
          isWhole={types === '' && range.preset === ''}
          loadMore={log.hasNextPage ? () => void log.fetchNextPage() : undefined}
          isLoadingMore={log.isFetchingNextPage}
        />
      )}
    </QueryResult>
  )
}

/** Arrow keys select the next or previous tab; only the selected tab is in the tab order. */
function Tabs({ selected, select }: { selected: TabName; select(name: TabName): void }): ReactElement {
  function onKeyDown(event: KeyboardEvent): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const index = TABS.findIndex(([name]) => name === selected)
    const [next] = TABS[(index + step + TABS.length) % TABS.length] ?? TABS[0]
    select(next)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div role="tablist" aria-label="Details" className="tabs" onKeyDown={onKeyDown}>
      {TABS.map(([name, label]) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          className="tabs__tab"
          aria-selected={selected === name}
          aria-controls={selected === name ? `panel-${name}` : undefined}
          tabIndex={selected === name ? 0 : -1}
          onClick={() => select(name)}
        >
          {label}
        </button>
      ))}
    </div>
  )
}
