import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { contextQuery } from '../../api/queries.ts'
import type { Freshness } from '../../api/wire.ts'
import { Copy } from '../../components/copy-button.tsx'
import { Instant } from '../../components/instant.tsx'
import { Scroll } from '../../components/scroll-area.tsx'
import { Failure, Waiting } from '../../components/states.tsx'
import { plural } from '../../time/instants.ts'

const MODES = [
  ['reuse', 'Going conversation'],
  ['create', 'New conversation'],
] as const

const MEANINGS: Readonly<Record<Freshness, string>> = {
  fresh: 'Everything is up to date.',
  stale: 'Some of it is older than it should be.',
  partial: 'Some of it is missing right now.',
  default: 'Nothing could be loaded right now; the model is told so.',
  empty: 'There is nothing to tell.',
  unavailable: 'Nobody knows right now.',
}

/** What the model would be told about this user in the next message, word for word. */
export function ContextPreview({ user }: { user: string }): ReactElement {
  const [mode, setMode] = useState<'reuse' | 'create'>('reuse')
  const context = useQuery(contextQuery(user, mode))
  return (
    <>
      <div className="list-head">
        <fieldset className="segments small">
          <legend className="unseen">Kind of message</legend>
          {MODES.map(([value, name]) => (
            <label key={value}>
              <input type="radio" name="mode" checked={mode === value} onChange={() => setMode(value)} />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
        <button
          type="button"
          className="button tiny"
          onClick={() => void context.refetch()}
          disabled={context.isFetching}
        >
          Resolve again
        </button>
      </div>
      {context.isError && context.data === undefined ? (
        <Failure error={context.error} retry={() => void context.refetch()} />
      ) : context.data === undefined ? (
        <Waiting of="the context" lines={6} />
      ) : (
        <>
          <p className="small">
            <FreshnessTag status={context.data.status} /> {MEANINGS[context.data.status]}
          </p>
          <ul className="sections">
            {context.data.sections.map(({ name, status, loadedAt, cut }) => (
              <li key={name}>
                <strong>{name}</strong> <FreshnessTag status={status} />{' '}
                <span className="quiet small">
                  {loadedAt !== null && (
                    <>
                      read <Instant at={loadedAt} />
                    </>
                  )}
                  {cut > 0 && `, ${plural(cut, 'item')} left out`}
                </span>
              </li>
            ))}
          </ul>
          <div className="snippet">
            <Scroll label="Text for the model">
              <pre>
                <code>{context.data.text === '' ? '(nothing)' : context.data.text}</code>
              </pre>
            </Scroll>
            <Copy text={context.data.text} label="Copy the text" />
          </div>
        </>
      )}
    </>
  )
}

function FreshnessTag({ status }: { status: Freshness }): ReactElement {
  return (
    <span className="freshness" data-status={status}>
      {status}
    </span>
  )
}
