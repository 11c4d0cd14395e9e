import { MutationCache, QueryCache, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { type ReactElement, useEffect, useState } from 'react'
import { Redirect, Route, Router, Switch } from 'wouter'
import { ApiError } from './api/client.ts'
import { LiveConnectionProvider } from './api/live-connection.tsx'
import { sessionQuery } from './api/queries.ts'
import type { Session } from './api/wire.ts'
import { parseUserSegment, useHashLocation } from './browser/location.ts'
import { EmptyState } from './components/empty-state.tsx'
import { ErrorMessage } from './components/error-message.tsx'
import { LiveRegion } from './components/live-region.tsx'
import { Layout } from './layout/layout.tsx'
import { CenteredPage } from './layout/page.tsx'
import { SessionContext } from './layout/session.ts'
import { AuditPage } from './pages/audit/audit-page.tsx'
import { InstancesPage } from './pages/instances/instances-page.tsx'
import { LimitsPage } from './pages/limits/limits-page.tsx'
import { OverviewPage } from './pages/overview/overview-page.tsx'
import { SettingsPage } from './pages/settings/settings-page.tsx'
import { SignInPage } from './pages/sign-in-page.tsx'
import { TurnsPage } from './pages/turns/turns-page.tsx'
import { UserPage } from './pages/user/user-page.tsx'
import { UsersPage } from './pages/users/users-page.tsx'

const queryClient = createQueryClient()

/** A 401 of any request ends the session, so that the sign-in page is shown. */
function createQueryClient(): QueryClient {
  const onError = (error: unknown): void => {
    if (error instanceof ApiError && error.status === 401) client.setQueryData(sessionQuery.queryKey, null)
  }
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // The event stream invalidates what is out of date.
        staleTime: 60_000,
        networkMode: 'always',
        refetchOnWindowFocus: false,
        retry: (failures, error) =>
          failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      },
      mutations: { networkMode: 'always' },
    },
  })
  return client
}

export function App(): ReactElement {
  return (
    <QueryClientProvider client={queryClient}>
      <Router hook={useHashLocation}>
        <SessionGate />
      </Router>
      <LiveRegion />
    </QueryClientProvider>
  )
}

/** Renders the pages for a signed-in session, the sign-in page otherwise. */
function SessionGate(): ReactElement | null {
  const session = useQuery(sessionQuery)
  const hasEnded = useHasEnded(session.data)
  if (session.isPending) return null
  if (session.isError) {
    return (
      <CenteredPage>
        <ErrorMessage error={session.error} retry={() => void session.refetch()} />
      </CenteredPage>
    )
  }
  if (session.data === null) return <SignInPage hasEnded={hasEnded} />
  return (
    <SessionContext value={session.data}>
      <LiveConnectionProvider>
        <Layout>
          <Pages />
        </Layout>
      </LiveConnectionProvider>
    </SessionContext>
  )
}

/** Whether a session has ended while the page was open, rather than never begun. */
function useHasEnded(session: Session | null | undefined): boolean {
  const [wasSignedIn, setWasSignedIn] = useState(false)
  const isSignedIn = session !== null && session !== undefined
  useEffect(() => {
    if (isSignedIn) setWasSignedIn(true)
  }, [isSignedIn])
  return wasSignedIn && !isSignedIn
}

function Pages(): ReactElement {
  return (
    <Switch>
      <Route path="/">
        <OverviewPage />
      </Route>
      <Route path="/users">
        <UsersPage />
      </Route>
      <Route path="/users/:user">
        {({ user: segment }) => {
          const user = parseUserSegment(segment)
          return user === undefined ? <NotFound /> : <UserPage key={user} user={user} />
        }}
      </Route>
      <Route path="/turns">
        <TurnsPage />
      </Route>
      <Route path="/audit">
        <AuditPage />
      </Route>
      <Route path="/limits">
        <LimitsPage />
      </Route>
      <Route path="/settings">
        <SettingsPage />
      </Route>
      <Route path="/instances">
        <InstancesPage />
      </Route>
      {/* Addresses of earlier versions. */}
      <Route path="/status">
        <Redirect to="/instances" replace />
      </Route>
      <Route path="/service">
        <Redirect to="/instances" replace />
      </Route>
      <Route>
        <NotFound />
      </Route>
    </Switch>
  )
}

function NotFound(): ReactElement {
  return (
    <EmptyState title="Page not found">
      <p>
        No page has this address. Go to <a href="#/users">all users</a>.
      </p>
    </EmptyState>
  )
}
