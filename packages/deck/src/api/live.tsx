import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactElement, type ReactNode, useContext, useEffect, useState } from 'react'
import { after, now } from '../browser/effects.ts'
import { apiUrl } from './client.ts'
import { createNews } from './live-updates.ts'
import { sessionQuery } from './queries.ts'
import { openStream, type StreamState } from './stream.ts'

export interface Live {
  /** `resting`: the page is in the background and holds no connection. */
  readonly state: StreamState | 'resting'
  /** Since when what is shown may be out of date, epoch ms; null while it is live. */
  readonly staleSince: number | null
  retryNow(): void
}

const LiveContext = createContext<Live>({ state: 'connecting', staleSince: null, retryNow: () => {} })

/** A browser allows six connections to one origin over HTTP/1.1, so pages nobody looks at give theirs back. */
const REST_AFTER_MS = 60_000

export function useLive(): Live {
  return useContext(LiveContext)
}

/** Holds the live connection while the page is looked at, and says how it is. */
export function LiveProvider({ children }: { children: ReactNode }): ReactElement {
  const queries = useQueryClient()
  const awake = useAwake()
  const [live, setLive] = useState<Live>({ state: 'connecting', staleSince: null, retryNow: () => {} })

  useEffect(() => {
    if (!awake) {
      setLive((before) => ({ ...before, state: 'resting' }))
      return
    }
    const news = createNews(queries)
    const stream = openStream(apiUrl(['events']), {
      onEvent: news.take,
      onState(state) {
        // What changed without an event is not resumed by the stream, so a reconnected page reads everything once.
        if (state === 'open') {
          news.everything()
        }
        setLive((before) => ({
          ...before,
          state,
          staleSince: state === 'open' ? null : state === 'waiting' ? (before.staleSince ?? now()) : before.staleSince,
        }))
      },
      onRefused: () => void queries.invalidateQueries({ queryKey: sessionQuery.queryKey }),
    })
    setLive((before) => ({ ...before, retryNow: stream.retryNow }))
    window.addEventListener('online', stream.retryNow)
    return () => {
      window.removeEventListener('online', stream.retryNow)
      stream.close()
      news.close()
    }
  }, [awake, queries])

  return <LiveContext value={live}>{children}</LiveContext>
}

/** False when the page has been in the background for a while; true at once when it is looked at again. */
function useAwake(): boolean {
  const [awake, setAwake] = useState(true)
  useEffect(() => {
    let cancel: (() => void) | undefined
    function onChange(): void {
      cancel?.()
      if (document.visibilityState === 'visible') setAwake(true)
      else cancel = after(REST_AFTER_MS, () => setAwake(false))
    }
    document.addEventListener('visibilitychange', onChange)
    return () => {
      cancel?.()
      document.removeEventListener('visibilitychange', onChange)
    }
  }, [])
  return awake
}
