import './layout.css'
import { lazy, type ReactElement, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { COMMAND_KEY, useCommandShortcut, useShortcuts } from '../browser/keyboard.ts'
import { Button } from '../components/button.tsx'
import { Logo } from '../components/logo.tsx'
import { AccountMenu } from './account-menu.tsx'
import { ConnectionStatus, StaleBanner } from './connection-status.tsx'
import { ErrorBoundary } from './error-boundary.tsx'
import { isCurrent, NAV_ITEMS } from './nav-items.ts'
import { ShortcutsDialog } from './shortcuts-dialog.tsx'
import { Toasts } from './toasts.tsx'

const CommandPalette = lazy(() =>
  import('./command-palette.tsx').then((module) => ({ default: module.CommandPalette })),
)

/** The header with the navigation, the page itself, and dialogs that can be opened on every page. */
export function Layout({ children }: { children: ReactNode }): ReactElement {
  const [path] = useLocation()
  const [dialog, setDialog] = useState<'shortcuts' | 'palette' | null>(null)
  const closeDialog = (): void => setDialog(null)
  useFocusOnNavigation(path)
  useShortcuts({ '?': () => setDialog('shortcuts') })
  useCommandShortcut('k', () => {
    if (document.querySelector('dialog[open]') === null) setDialog('palette')
    else if (dialog === 'palette') setDialog(null)
  })
  return (
    <>
      <button type="button" className="skip-link" onClick={() => document.getElementById('main')?.focus()}>
        Skip to content
      </button>
      <Header path={path} openPalette={() => setDialog('palette')} openShortcuts={() => setDialog('shortcuts')} />
      <StaleBanner />
      <main id="main" tabIndex={-1} className="layout__main">
        <ErrorBoundary path={path}>{children}</ErrorBoundary>
      </main>
      <Toasts />
      {dialog === 'palette' && (
        <Suspense fallback={null}>
          <CommandPalette close={closeDialog} />
        </Suspense>
      )}
      {dialog === 'shortcuts' && <ShortcutsDialog close={closeDialog} />}
    </>
  )
}

function Header(props: { path: string; openPalette(): void; openShortcuts(): void }): ReactElement {
  const { path } = props
  const nav = useRef<HTMLElement>(null)
  // On narrow pages the navigation is a strip that scrolls.
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>('[aria-current]')
    if (nav.current !== null && link) nav.current.scrollLeft = link.offsetLeft - nav.current.offsetWidth / 2
  }, [path])
  return (
    <header className="header">
      <div className="header__row">
        <Link href="/" className="header__brand" aria-label="Purser Observation Deck">
          <Logo />
          <span className="header__name">
            Purser <span className="header__product">Observation Deck</span>
          </span>
        </Link>
        <nav aria-label="Main" className="header__nav" ref={nav}>
          {NAV_ITEMS.map((item) => (
            <Link
              key={item.path}
              href={item.path}
              className="header__link"
              aria-current={isCurrent(item.path, path) ? (path === item.path ? 'page' : 'true') : undefined}
            >
              {item.name}
            </Link>
          ))}
        </nav>
        <div className="header__end">
          <ConnectionStatus />
          <Button size="small" variant="subtle" className="header__palette" onClick={props.openPalette}>
            Go to <kbd className="header__key">{COMMAND_KEY} K</kbd>
          </Button>
          <AccountMenu openShortcuts={props.openShortcuts} />
        </div>
      </div>
    </header>
  )
}

/** After a navigation, moves the focus to the start of the new page; the focused link may no longer exist. */
function useFocusOnNavigation(path: string): void {
  const previous = useRef(path)
  useEffect(() => {
    if (previous.current === path) return
    previous.current = path
    document.getElementById('main')?.focus({ preventScroll: true })
  }, [path])
}
