import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactElement, useEffect, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { usersQuery } from '../api/queries.ts'
import { useVocabulary } from '../api/use-vocabulary.ts'
import { userPath } from '../browser/location.ts'
import { listPath } from '../pages/users/search.ts'

interface Goal {
  readonly id: string
  readonly kind: 'User' | 'Place' | 'List'
  readonly name: string
  readonly path: string
}

const SHOWN = 8
const PLACES: readonly Goal[] = [
  { id: 'users', kind: 'Place', name: 'Users', path: '/users' },
  { id: 'service', kind: 'Place', name: 'Service', path: '/service' },
  { id: 'blocked', kind: 'List', name: 'Blocked users', path: listPath({ blocked: 'true' }) },
]

/** Goes anywhere by a few letters: to a user by the beginning of the id, to a place, to a filtered list. */
export function Palette({ close }: { close(): void }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const [, navigate] = useLocation()
  const goals = useGoals(text)
  const present = Math.min(chosen, goals.length - 1)

  useEffect(() => dialog.current?.showModal(), [])

  function go(goal: Goal | undefined): void {
    if (goal === undefined) return
    close()
    navigate(goal.path)
  }

  function onKeyDown(event: KeyboardEvent): void {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (by !== 0) {
      event.preventDefault()
      setChosen((present + by + goals.length) % Math.max(1, goals.length))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      go(goals[present])
    }
  }

  return (
    <dialog
      ref={dialog}
      className="dialog palette"
      aria-label="Go to"
      onClose={close}
      onClick={(event) => event.target === dialog.current && close()}
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
      <input
        role="combobox"
        aria-label="Go to a user or a place"
        aria-expanded={goals.length > 0}
        aria-controls="palette-goals"
        aria-activedescendant={goals[present] === undefined ? undefined : `goal-${present}`}
        aria-autocomplete="list"
        placeholder="Go to a user or a place"
        autoComplete="off"
        spellCheck="false"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value)
          setChosen(0)
        }}
        onKeyDown={onKeyDown}
      />
      <div role="listbox" id="palette-goals" aria-label="Where to" className="goals">
        {goals.map((goal, index) => (
          <div
            key={goal.id}
            id={`goal-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === present}
            className="goal"
            onClick={() => go(goal)}
            onKeyDown={onKeyDown}
          >
            <bdi>{goal.name}</bdi>
            <span className="quiet small">{goal.kind}</span>
          </div>
        ))}
      </div>
      {goals.length === 0 && <p className="quiet">Nobody’s id begins like that.</p>}
    </dialog>
  )
}

/** Users first, because the list of places is short and known. */
function useGoals(text: string): readonly Goal[] {
  const vocabulary = useVocabulary()
  const search = { q: text, phase: '', riskLevel: '', blocked: '', cursor: '' }
  const users = useQuery(usersQuery({ ...search, orderBy: text === '' ? 'lastSeenAt' : 'id', order: '' }, SHOWN))
  // While the answer to the newest letters is on its way, the one before still fits in part.
  const found = (users.data?.data ?? []).filter(({ user }) => user.startsWith(text))
  const wanted = text.trim().toLowerCase()
  const lists: readonly Goal[] = [
    ...vocabulary.phases.map((phase) => ({ name: `Phase ${phase}`, path: listPath({ phase }) })),
    ...vocabulary.riskLevels.map((riskLevel) => ({ name: `Risk ${riskLevel}`, path: listPath({ riskLevel }) })),
  ].map(({ name, path }) => ({ id: path, kind: 'List', name, path }))
  return [
    ...found.map(({ user }) => ({
      id: `user ${user}`,
      kind: 'User' as const,
      name: user,
      path: userPath(user),
    })),
    ...[...PLACES, ...lists].filter(({ name }) => wanted !== '' && name.toLowerCase().includes(wanted)),
    ...(wanted === '' ? PLACES : []),
  ]
}
