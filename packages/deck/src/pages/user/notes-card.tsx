import './notes-card.css'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactElement, useState } from 'react'
import { notesQuery } from '../../api/queries.ts'
import type { Bond } from '../../api/wire.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { ErrorMessage } from '../../components/error-message.tsx'
import { announce } from '../../components/live-region.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { pluralize } from '../../format-number.ts'
import { useCan } from '../../layout/session.ts'
import { useAddNote } from './use-user-mutations.ts'

/** Notes of operators about a user, newest first. */
export function NotesCard({ bond }: { bond: Bond }): ReactElement {
  const notes = useQuery(notesQuery(bond.user))
  const canWrite = useCan('operator')
  return (
    <Card title="Notes" id="notes" aside={<span className="muted small">{pluralize(bond.notesCount, 'note')}</span>}>
      {canWrite && <NoteForm bond={bond} />}
      <QueryResult query={notes} name="notes">
        {({ data }) =>
          data.length === 0 ? (
            <p className="muted small">No notes yet.</p>
          ) : (
            <ol>
              {data.map((note) => (
                <li key={note.id} className="note">
                  <p className="note__text">{note.text}</p>
                  <p className="muted small">
                    {note.actor} · <RelativeTime at={note.at} zone={bond.timeZone} />
                  </p>
                </li>
              ))}
            </ol>
          )
        }
      </QueryResult>
    </Card>
  )
}

function NoteForm({ bond }: { bond: Bond }): ReactElement {
  const addNote = useAddNote(bond)
  const [text, setText] = useState('')
  const isEmpty = text.trim() === ''

  function submit(event: FormEvent): void {
    event.preventDefault()
    if (isEmpty || addNote.isPending) return
    addNote.mutate(
      { text },
      {
        onSuccess() {
          setText('')
          announce('Note saved.')
        },
      },
    )
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
      {addNote.isError && <ErrorMessage error={addNote.error} />}
      {!isEmpty && (
        <Button type="submit" variant="primary" disabled={addNote.isPending}>
          {addNote.isPending ? 'Saving…' : 'Add note'}
        </Button>
      )}
    </form>
  )
}
