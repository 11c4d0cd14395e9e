import { lazy, type ReactElement, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { COMMAND, useCommandKey, useKeys } from '../browser/keyboard.ts'
import { LiveSign, StaleBanner } from './connection-status.tsx'
import { Boundary } from './error-boundary.tsx'
import { Menu } from './menu.tsx'
import { Shortcuts } from './shortcuts.tsx'
import { Notices } from './toasts.tsx'

const Palette = lazy(() => import('./command-palette.tsx').then(({ Palette: component }) => ({ default: component })))

const PLACES = [
  { path: '/users', name: 'Users' },
  { path: '/service', name: 'Service' },
] as const

/** What stands around every page: where one is, whether what is shown is live, and one's own settings. */
export function Frame({ children }: { children: ReactNode }): ReactElement {
  const [path] = useLocation()
  useFocusOnArrival(path)
  const [sheet, setSheet] = useState(false)
  const [palette, setPalette] = useState(false)
  useKeys({ '?': () => setSheet(true) })
  useCommandKey('k', () => setPalette(document.querySelector('dialog[open]') === null))
  return (
    <>
      <button type="button" className="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to content
      </button>
      <header className="top">
        <div className="top-row">
          <Link href="/users" className="brand">
            <Mark />
            <span>
              Purser <span className="brand-place">Observation Deck</span>
            </span>
          </Link>
          <nav aria-label="Places">
            {PLACES.map((place) => (
              <Link
                key={place.path}
                href={place.path}
                className="place"
                aria-current={path.startsWith(place.path) ? (path === place.path ? 'page' : 'true') : undefined}
              >
                {place.name}
              </Link>
            ))}
          </nav>
          <div className="top-end">
            <LiveSign />
            <button type="button" className="button tiny go" onClick={() => setPalette(true)}>
              Go to <kbd>{COMMAND} K</kbd>
            </button>
            <Menu openShortcuts={() => setSheet(true)} />
          </div>
        </div>
      </header>
      <StaleBanner />
      <main id="main" tabIndex={-1}>
        <Boundary place={path}>{children}</Boundary>
      </main>
      <Notices />
      {palette && (
        <Suspense fallback={null}>
          <Palette close={() => setPalette(false)} />
        </Suspense>
      )}
      {sheet && <Shortcuts close={() => setSheet(false)} />}
    </>
  )
}

/** Whoever goes to another page by keyboard or ear begins at its beginning, not where the link that is gone was. */
function useFocusOnArrival(path: string): void {
  const before = useRef(path)
  useEffect(() => {
    if (before.current === path) return
    before.current = path
    document.getElementById('main')?.focus({ preventScroll: true })
  }, [path])
}

/** The sun half above the horizon, as seen from a deck. */
export function Mark(): ReactElement {
  return (
    <svg className="mark" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="mark-sea" />
      <path d="M6 20.5h20" className="mark-line" strokeWidth="2" strokeLinecap="round" />
      <path d="M9.5 20.5a6.5 6.5 0 0 1 13 0z" className="mark-sun" />
      <path d="M9 25h14" className="mark-line faint" strokeWidth="2" strokeLinecap="round" />
    </svg>
  )
}
