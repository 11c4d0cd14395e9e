import './sign-in-page.css'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { FormEvent, ReactElement } from 'react'
import { callApi } from '../api/client.ts'
import { sessionQuery } from '../api/queries.ts'
import { Button } from '../components/button.tsx'
import { Callout } from '../components/callout.tsx'
import { Surface } from '../components/card.tsx'
import { ErrorMessage } from '../components/error-message.tsx'
import { Field } from '../components/field.tsx'
import { Logo } from '../components/logo.tsx'
import { CenteredPage, usePageTitle } from '../layout/page.tsx'

/**
 * Sign-in with a key, at first or after a session `hasEnded`. The one-time link is handled by the server, which redirects here
 * with `?sign-in=expired`.
 */
export function SignInPage({ hasEnded }: { hasEnded: boolean }): ReactElement {
  const queryClient = useQueryClient()
  const isLinkExpired = new URLSearchParams(window.location.search).get('sign-in') === 'expired'
  const signIn = useMutation({
    mutationFn: (key: string) => callApi('POST /api/session', { body: { key } }),
    onSuccess: (session) => {
      window.history.replaceState(null, '', window.location.pathname + window.location.hash)
      queryClient.setQueryData(sessionQuery.queryKey, session)
    },
  })
  usePageTitle('Sign in')

  // The value is read from the form on submit, because a password manager may fill in a field without an input event.
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault()
    const key = String(new FormData(event.currentTarget).get('key') ?? '').trim()
    if (key !== '') signIn.mutate(key)
  }

  return (
    <CenteredPage>
      <Surface className="sign-in">
        <div className="sign-in__header">
          <Logo />
          <h1>Observation Deck</h1>
        </div>
        {isLinkExpired && (
          <Callout role="alert">This sign-in link was already used or is older than ten minutes.</Callout>
        )}
        {hasEnded && !isLinkExpired && (
          <Callout role="alert">You are signed out. Sign in to return to where you were.</Callout>
        )}
        <form onSubmit={submit} className="sign-in__form">
          <Field label="Key" hint="A viewer, operator or admin key.">
            {(control) => (
              <input
                {...control}
                name="key"
                type="password"
                autoComplete="current-password"
                spellCheck="false"
                required
              />
            )}
          </Field>
          {signIn.isError && <ErrorMessage error={signIn.error} />}
          <Button type="submit" variant="primary" size="full" disabled={signIn.isPending}>
            {signIn.isPending ? 'Signing in…' : 'Sign in'}
          </Button>
        </form>
        <div className="sign-in__help">
          <h2>No key?</h2>
          <p>
            Purser prints a sign-in link when it starts. The link works once, within ten minutes. To create a key, run
            this command where Purser is installed:
          </p>
          <pre>
            <code>npx purser keys create --role operator</code>
          </pre>
        </div>
      </Surface>
    </CenteredPage>
  )
}
