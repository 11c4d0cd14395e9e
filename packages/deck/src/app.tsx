import { MutationCache, QueryCache, QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Redirect, Route, Router, Switch } from 'wouter'
import { ApiError } from './api/client.ts'
import { LiveProvider } from './api/live.tsx'
import { sessionQuery } from './api/queries.ts'
import { useFragmentLocation, userOfSegment } from './browser/location.ts'
import { Announcer } from './components/announce.tsx'
import { Empty, Failure } from './components/states.tsx'
import { Frame } from './layout/layout.tsx'
import { SessionContext } from './layout/session.ts'
import { SignIn } from './pages/sign-in.tsx'
import { ServicePage } from './pages/status/page.tsx'
import { UserPage } from './pages/user/page.tsx'
import { UsersPage } from './pages/users/page.tsx'

const queries = createQueries()

/** Whatever is answered with 401 means the same: this visit has no session any more. */
function createQueries(): QueryClient {
  const onError = (error: unknown): void => {
    if (error instanceof ApiError && error.status === 401) client.setQueryData(sessionQuery.queryKey, null)
  }
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // The live stream says when something is out of date.
        staleTime: 60_000,
        networkMode: 'always',
        refetchOnWindowFocus: false,
        retry: (failures, error) =>
          failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      },
    },
  })
  return client
}

export function App(): ReactElement {
  return (
    <QueryClientProvider client={queries}>
      <Router hook={useFragmentLocation}>
        <Gate />
      </Router>
      <Announcer />
    </QueryClientProvider>
  )
}

/** Nobody comes past here without a session. */
function Gate(): ReactElement | null {
  const session = useQuery(sessionQuery)
  if (session.isPending) return null
  if (session.isError) {
    return (
      <main className="alone">
        <Failure error={session.error} retry={() => void session.refetch()} />
      </main>
    )
  }
  if (session.data === null) return <SignIn />
  return (
    <SessionContext value={session.data}>
      <LiveProvider>
        <Frame>
          <Pages />
        </Frame>
      </LiveProvider>
    </SessionContext>
  )
}

function Pages(): ReactElement {
  return (
    <Switch>
      <Route path="/">
        <Redirect to="/users" replace />
      </Route>
      <Route path="/users">
        <UsersPage />
      </Route>
      <Route path="/users/:user">
        {({ user: segment }) => {
          const user = userOfSegment(segment)
          return user === undefined ? <Lost /> : <UserPage key={user} user={user} />
        }}
      </Route>
      <Route path="/service">
        <ServicePage />
      </Route>
      <Route>
        <Lost />
      </Route>
    </Switch>
  )
}

function Lost(): ReactElement {
  return (
    <Empty title="There is no such page">
      <p>
        The address does not lead anywhere. <a href="#/users">All users</a> are a good place to start again.
      </p>
    </Empty>
  )
}
