import { type ReactElement, useEffect, useRef } from 'react'
import { useLive } from '../api/live.tsx'
import { announce } from '../components/announce.tsx'
import { useNow } from '../time/clock.ts'
import { duration } from '../time/instants.ts'

/** Whether the page is live, in a word. */
export function LiveSign(): ReactElement {
  const { state, staleSince } = useLive()
  const shown = staleSince !== null ? 'stale' : state === 'open' ? 'live' : 'joining'
  const words = { live: 'Live', stale: 'Not live', joining: 'Connecting' }
  return (
    <span className="live" data-state={shown}>
      <span className="live-dot" aria-hidden="true" />
      {words[shown]}
    </span>
  )
}

function ageOf(ms: number): string {
  return ms < 10_000 ? 'a few seconds' : duration(ms)
}

/** Says that what is shown may be out of date, for as long as that is so, and offers to try at once. */
export function StaleBanner(): ReactElement | null {
  const { staleSince, retryNow } = useLive()
  const now = useNow()
  const stale = staleSince !== null
  const was = useRef(false)
  useEffect(() => {
    if (was.current && !stale) announce('Live again.')
    was.current = stale
  }, [stale])
  if (!stale) return null
  return (
    <div className="banner" role="status">
      <p>
        <strong>The live connection is gone.</strong> What you see may be {ageOf(now - staleSince)} old. It comes back
        by itself.
      </p>
      <button type="button" className="button" onClick={retryNow}>
        Try now
      </button>
    </div>
  )
}
