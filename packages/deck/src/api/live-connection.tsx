import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactElement, type ReactNode, useContext, useEffect, useState } from 'react'
import { now, setTimer } from '../browser/effects.ts'
import { apiUrl } from './client.ts'
import { createLiveUpdates } from './live-updates.ts'
import { sessionQuery } from './queries.ts'
import { openEventStream, type StreamState } from './stream.ts'

export interface LiveConnection {
  /** `paused`: the page is in the background and holds no connection. */
  readonly state: StreamState | 'paused'
  /** Since when the shown data may be out of date, epoch ms; null while the page is live. */
  readonly staleSince: number | null
  reconnect(): void
}

const CONNECTING: LiveConnection = { state: 'connecting', staleSince: null, reconnect: () => {} }

const LiveConnectionContext = createContext<LiveConnection>(CONNECTING)

/** A browser allows six connections per origin over HTTP/1.1, so a page in the background closes its stream. */
const PAUSE_AFTER_MS = 60_000

export function useLiveConnection(): LiveConnection {
  return useContext(LiveConnectionContext)
}

/** Keeps the event stream open while the page is visible, and provides its state. */
export function LiveConnectionProvider({ children }: { children: ReactNode }): ReactElement {
  const queryClient = useQueryClient()
  const isActive = usePageActivity()
  const [connection, setConnection] = useState<LiveConnection>(CONNECTING)

  useEffect(() => {
    if (!isActive) {
      setConnection((before) => ({ ...before, state: 'paused' }))
      return
    }
    const updates = createLiveUpdates(queryClient)
    const stream = openEventStream(apiUrl('/api/events'), {
      onEvent: updates.apply,
      onStateChange(state) {
        // The stream resumes events, but not changes without an event, so everything is refetched after a connect.
        if (state === 'open') updates.refetchAll()
        setConnection((before) => ({ ...before, state, staleSince: staleSinceOf(state, before.staleSince) }))
      },
      onUnauthorized: () => void queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
    })
    setConnection((before) => ({ ...before, reconnect: stream.reconnect }))
    window.addEventListener('online', stream.reconnect)
    return () => {
      window.removeEventListener('online', stream.reconnect)
      stream.close()
      updates.close()
    }
  }, [isActive, queryClient])

  return <LiveConnectionContext value={connection}>{children}</LiveConnectionContext>
}

function staleSinceOf(state: StreamState, before: number | null): number | null {
  if (state === 'open') return null
  return state === 'waiting' ? (before ?? now()) : before
}

/** False once the page has been in the background for `PAUSE_AFTER_MS`; true as soon as it is visible again. */
function usePageActivity(): boolean {
  const [isActive, setIsActive] = useState(true)
  useEffect(() => {
    let cancelTimer: (() => void) | undefined
    function onVisibilityChange(): void {
      cancelTimer?.()
      if (document.visibilityState === 'visible') setIsActive(true)
      else cancelTimer = setTimer(() => setIsActive(false), PAUSE_AFTER_MS)
    }
    document.addEventListener('visibilitychange', onVisibilityChange)
    return () => {
      cancelTimer?.()
      document.removeEventListener('visibilitychange', onVisibilityChange)
    }
  }, [])
  return isActive
}
