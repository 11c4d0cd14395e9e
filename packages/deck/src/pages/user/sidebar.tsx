import { useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactElement, useState } from 'react'
import { notesQuery } from '../../api/queries.ts'
import type { Bond } from '../../api/wire.ts'
import { announce } from '../../components/announce.tsx'
import { fillOf } from '../../components/cap.tsx'
import { Fact } from '../../components/fact.tsx'
import { ExactInstant, Instant } from '../../components/instant.tsx'
import { Card, Failure, Waiting } from '../../components/states.tsx'
import { useMay } from '../../layout/session.ts'
import { plural, whole } from '../../time/instants.ts'
import type { Acts } from './use-user-mutations.ts'

/** What was used today, and when it starts again. */
export function Quota({ bond }: { bond: Bond }): ReactElement {
  const fill = fillOf(bond)
  const left = Math.max(0, bond.dailyCap - bond.dailyCount)
  const reached = fill !== null && left === 0
  return (
    <Card
      title="Today"
      id="quota"
      aside={<span className="quiet small">{bond.capOrigin === 'default' ? 'default cap' : 'own cap'}</span>}
    >
      <p className="quota-figures">
        <span className="quota-count">{whole(bond.dailyCount)}</span>
        <span className="quiet">{fill === null ? 'messages, no cap' : `of ${whole(bond.dailyCap)} messages`}</span>
      </p>
      {fill !== null && (
        <>
          <div className="cap big" data-level={reached ? 'reached' : fill >= 0.8 ? 'near' : 'free'}>
            <meter
              className="unseen"
              aria-label="Used today"
              min={0}
              max={bond.dailyCap}
              value={Math.min(bond.dailyCount, bond.dailyCap)}
              aria-valuetext={`${whole(bond.dailyCount)} of ${whole(bond.dailyCap)}`}
            />
            <span className="bar" aria-hidden="true">
              <span className="bar-fill" style={{ '--fill': String(fill) } as Record<string, string>} />
            </span>
          </div>
          <p className="small">
            {reached ? 'The cap is reached.' : `${whole(left)} left.`}{' '}
            {bond.windowResetAt !== null && (
              <span className="quiet">
                Starts again <Instant at={bond.windowResetAt} zone={bond.timeZone} />,
                <br />
                <ExactInstant at={bond.windowResetAt} zone={bond.timeZone} />
              </span>
            )}
          </p>
        </>
      )}
    </Card>
  )
}

/** The rest of the bond. */
export function About({ bond }: { bond: Bond }): ReactElement {
  const peaks = Object.entries(bond.peaks).sort(([, a], [, b]) => b.value - a.value)
  return (
    <Card title="Bond" id="bond">
      <dl className="facts stacked">
        <Fact name="Archetype">{bond.archetype}</Fact>
        <Fact name="Phase before">{bond.previousPhase}</Fact>
        <Fact name="Egg status">{bond.eggStatus}</Fact>
        <Fact name="Turns">{whole(bond.turnCount)}</Fact>
        <Fact name="Time zone">{bond.timeZone ?? 'the default'}</Fact>
        <Fact name="First seen">
          <Instant at={bond.createdAt} zone={bond.timeZone} />
        </Fact>
        <Fact name="Version">{whole(bond.version)}</Fact>
      </dl>
      {peaks.length > 0 && (
        <>
          <h3 className="peaks-title">Peaks</h3>
          <ul className="peaks">
            {peaks.map(([node, { value, at }]) => (
              <li key={node}>
                <span className="peak-name">{node}</span>
                <span className="bar" aria-hidden="true">
                  <span
                    className="bar-fill"
                    style={{ '--fill': String(Math.min(1, Math.max(0, value))) } as Record<string, string>}
                  />
                </span>
                <span className="figures">{value}</span>
                <span className="quiet small peak-at">
                  <Instant at={at} zone={bond.timeZone} />
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  )
}

/** What operators wrote down. */
export function Notes({ bond, acts }: { bond: Bond; acts: Acts }): ReactElement {
  const notes = useQuery(notesQuery(bond.user))
  const mayWrite = useMay('operator')
  return (
    <Card title="Notes" id="notes" aside={<span className="quiet small">{plural(bond.notesCount, 'note')}</span>}>
      {mayWrite && <NoteForm acts={acts} />}
      {notes.isError && notes.data === undefined ? (
        <Failure error={notes.error} retry={() => void notes.refetch()} />
      ) : notes.data === undefined ? (
        <Waiting of="notes" />
      ) : notes.data.data.length === 0 ? (
        <p className="quiet small">Nobody has written anything down.</p>
      ) : (
        <ol className="notes">
          {notes.data.data.map((note) => (
            <li key={note.id}>
              <p className="note-text">{note.text}</p>
              <p className="quiet small">
                {note.actor} · <Instant at={note.at} zone={bond.timeZone} />
              </p>
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}

function NoteForm({ acts }: { acts: Acts }): ReactElement {
  const [text, setText] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    if (text.trim() === '' || busy) return
    setBusy(true)
    setError(undefined)
    try {
      await acts.addNote(text)
      setText('')
      announce('The note is kept.')
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <form className="note-form" onSubmit={submit}>
      <textarea
        rows={2}
        aria-label="New note"
        placeholder="Write a note"
        value={text}
        maxLength={8000}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {error !== undefined && <Failure error={error} />}
      {text.trim() !== '' && (
        <button type="submit" className="button primary" disabled={busy}>
          {busy ? 'One moment…' : 'Add note'}
        </button>
      )}
    </form>
  )
}
