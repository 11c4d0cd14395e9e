import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { type ReactElement, useEffect, useState } from 'react'
import { useLocation } from 'wouter'
import { bondQuery, eventsQuery } from '../../api/queries.ts'
import { useVocabulary } from '../../api/use-vocabulary.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, LedgerEvent } from '../../api/wire.ts'
import { useKeys } from '../../browser/keyboard.ts'
import { useParam } from '../../browser/use-param.ts'
import { Empty, Failure, Waiting } from '../../components/states.tsx'
import { ContextPreview } from './context.tsx'
import { EventList } from './events.tsx'
import { Header } from './header.tsx'
import { Runtime } from './runtime.tsx'
import { About, Notes, Quota } from './sidebar.tsx'
import { Timeline } from './timeline.tsx'
import { useActs } from './use-user-mutations.ts'

const TABS = [
  ['events', 'Events'],
  ['context', 'Context'],
  ['runtime', 'Runtime'],
] as const

/** One user, live. */
export function UserPage({ user }: { user: string }): ReactElement {
  const bond = useQuery(bondQuery(user))
  const vocabulary = useVocabulary()
  const [, navigate] = useLocation()
  useEffect(() => {
    document.title = `${user} · Purser`
    window.scrollTo({ top: 0 })
  }, [user])
  useKeys({ u: () => navigate('/users') })

  if (bond.isError && bond.data === undefined) {
    return <Failure error={bond.error} retry={() => void bond.refetch()} />
  }
  if (bond.data === undefined) return <Waiting of={user} lines={8} />
  if (!bond.data.exists) {
    return (
      <Empty title="Nothing is known of this user">
        <p>
          <strong className="mono">{user}</strong> has never been seen here, or was erased.
        </p>
        <p>
          <a href="#/users">All users</a>
        </p>
      </Empty>
    )
  }
  return <Known bond={bond.data} vocabulary={vocabulary} />
}

function Known({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const acts = useActs(bond)
  const log = useInfiniteQuery(eventsQuery(bond.user))
  const events: readonly LedgerEvent[] = log.data?.pages.flatMap(({ data }) => data) ?? []
  const [chosen, setChosen] = useParam('tab')
  const [wanted, setWanted] = useState<number | null>(null)
  const tab = TABS.find(([value]) => value === chosen)?.[0] ?? 'events'

  function choose(next: string): void {
    setChosen(next === 'events' ? '' : next)
  }

  return (
    <div className="page">
      <Header bond={bond} acts={acts} vocabulary={vocabulary} />
      <div className="user-grid">
        <div className="user-line">
          {log.data !== undefined && (
            <Timeline
              bond={bond}
              events={events}
              complete={!log.hasNextPage}
              vocabulary={vocabulary}
              show={(sequence) => {
                choose('events')
                setWanted(null)
                requestAnimationFrame(() => setWanted(sequence))
              }}
            />
          )}
        </div>
        <aside className="user-rail" aria-label="About the user">
          <Quota bond={bond} />
          <Notes bond={bond} acts={acts} />
          <About bond={bond} />
        </aside>
        <section className="card user-details" aria-label="Details">
          <Tabs tab={tab} choose={choose} />
          <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} className="panel">
            {tab === 'context' && <ContextPreview user={bond.user} />}
            {tab === 'runtime' && <Runtime user={bond.user} />}
            {tab === 'events' &&
              (log.isError && log.data === undefined ? (
                <Failure error={log.error} retry={() => void log.refetch()} />
              ) : log.data === undefined ? (
                <Waiting of="events" lines={6} />
              ) : (
                <EventList
                  events={events}
                  timeZone={bond.timeZone}
                  vocabulary={vocabulary}
                  wanted={wanted}
                  more={log.hasNextPage ? () => void log.fetchNextPage() : undefined}
                  loading={log.isFetchingNextPage}
                />
              ))}
          </div>
        </section>
      </div>
    </div>
  )
}

/** Arrow keys go from tab to tab; only the chosen one is a stop for the Tab key. */
function Tabs({ tab, choose }: { tab: string; choose(tab: string): void }): ReactElement {
  return (
    <div
      role="tablist"
      aria-label="Details"
      className="tabs"
      onKeyDown={(event) => {
        const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
        if (by === 0) return
        event.preventDefault()
        const present = TABS.findIndex(([value]) => value === tab)
        const [next] = TABS[(present + by + TABS.length) % TABS.length] ?? TABS[0]
        choose(next)
        document.getElementById(`tab-${next}`)?.focus()
      }}
    >
      {TABS.map(([value, name]) => (
        <button
          key={value}
          type="button"
          role="tab"
          id={`tab-${value}`}
          aria-selected={tab === value}
          aria-controls={tab === value ? `panel-${value}` : undefined}
          tabIndex={tab === value ? 0 : -1}
          onClick={() => choose(value)}
        >
          {name}
        </button>
      ))}
    </div>
  )
}
