import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type ReactElement, useEffect } from 'react'
import { apiUrl, call } from '../api/client.ts'
import { sessionQuery } from '../api/queries.ts'
import type { Session } from '../api/wire.ts'
import { Failure } from '../components/states.tsx'
import { Mark } from '../layout/layout.tsx'

/** The way in: the link that the server prints, or a key. */
export function SignIn(): ReactElement {
  const queries = useQueryClient()
  const expired = new URLSearchParams(window.location.search).get('sign-in') === 'expired'
  const signIn = useMutation({
    mutationFn: (key: string) => call<Session>(apiUrl(['session']), { method: 'POST', body: { key } }),
    onSuccess: (session) => {
      window.history.replaceState(null, '', window.location.pathname + window.location.hash)
      queries.setQueryData(sessionQuery.queryKey, session)
    },
  })
  useEffect(() => {
    document.title = 'Sign in · Purser'
  }, [])

  // The field is read when the form is sent: what a password manager fills in is not always told to the page.
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault()
    const key = String(new FormData(event.currentTarget).get('key') ?? '').trim()
    if (key !== '') signIn.mutate(key)
  }

  return (
    <main className="alone">
      <div className="sign-in card">
        <div className="sign-in-head">
          <Mark />
          <h1>Observation Deck</h1>
        </div>
        {expired && (
          <p className="notice" role="alert">
            That sign-in link was used before or is older than ten minutes.
          </p>
        )}
        <form onSubmit={submit}>
          <div className="field">
            <label htmlFor="key">Key</label>
            <input
              id="key"
              name="key"
              type="password"
              autoComplete="current-password"
              spellCheck="false"
              required
              aria-describedby="key-hint"
            />
            <p className="hint" id="key-hint">
              A viewer, operator or admin key.
            </p>
          </div>
          {signIn.isError && <Failure error={signIn.error} />}
          <button type="submit" className="button primary wide" disabled={signIn.isPending}>
            {signIn.isPending ? 'One moment…' : 'Sign in'}
          </button>
        </form>
        <div className="sign-in-help">
          <h2>No key at hand?</h2>
          <p>
            Purser prints a sign-in link when it starts. It works once, for ten minutes. Or make a key where Purser
            runs:
          </p>
          <pre>
            <code>npx purser keys create --role operator</code>
          </pre>
        </div>
      </div>
    </main>
  )
}
