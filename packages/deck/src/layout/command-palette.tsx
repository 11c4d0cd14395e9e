import './command-palette.css'
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactElement, useState } from 'react'
import { useLocation } from 'wouter'
import { usersQuery, useVocabulary } from '../api/queries.ts'
import { userPath, usersPath } from '../browser/location.ts'
import { Dialog } from '../components/dialog.tsx'
import { NAV_ITEMS } from './nav-items.ts'

interface Item {
  readonly kind: 'User' | 'Page' | 'List'
  readonly name: string
  readonly path: string
}

const MAX_USERS = 8
const PAGES: readonly Item[] = [
  ...NAV_ITEMS.map(({ name, path }) => ({ kind: 'Page', name, path }) as const),
  { kind: 'List', name: 'Blocked users', path: usersPath({ blocked: 'true' }) },
]

/** Navigates by a few letters: to a user by the start of the id, to a page, or to a filtered list. */
export function CommandPalette({ close }: { close(): void }): ReactElement {
  const [text, setText] = useState('')
  const [selected, setSelected] = useState(0)
  const [, navigate] = useLocation()
  const items = useItems(text)
  const active = Math.min(selected, items.length - 1)

  function open(item: Item | undefined): void {
    if (item === undefined) return
    close()
    navigate(item.path)
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) {
      event.preventDefault()
      setSelected((active + step + items.length) % Math.max(1, items.length))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      open(items[active])
    }
  }

  return (
    <Dialog label="Go to" className="palette" closesOnBackdrop close={close}>
      <div className="palette__content">
        <input
          className="palette__input"
          role="combobox"
          aria-label="Go to a user or a page"
          aria-expanded={items.length > 0}
          aria-controls="palette-items"
          aria-activedescendant={items[active] === undefined ? undefined : `palette-item-${active}`}
          aria-autocomplete="list"
          placeholder="Go to a user or a page"
          autoComplete="off"
          spellCheck="false"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value)
            setSelected(0)
          }}
          onKeyDown={onKeyDown}
        />
        <div role="listbox" id="palette-items" aria-label="Results">
          {items.map((item, index) => (
            <div
              key={item.path}
              id={`palette-item-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              className="palette__item"
              onClick={() => open(item)}
              onKeyDown={onKeyDown}
            >
              <bdi>{item.name}</bdi>
              <span className="muted small">{item.kind}</span>
            </div>
          ))}
        </div>
        {items.length === 0 && <p className="muted">No matching users or pages.</p>}
      </div>
    </Dialog>
  )
}

/** Users come first. Pages and lists are shown when their name contains the text; without a text, only the pages. */
function useItems(text: string): readonly Item[] {
  const vocabulary = useVocabulary()
  const search = { q: text, phase: '', riskLevel: '', blocked: '', cursor: '' }
  const users = useQuery(usersQuery({ ...search, orderBy: text === '' ? 'lastSeenAt' : 'id', order: '' }, MAX_USERS))
  const query = text.trim().toLowerCase()
  // Until the response to the latest letters arrives, those users of the previous one are shown that still match.
  const userItems = (users.data?.data ?? [])
    .filter(({ user }) => user.startsWith(text))
    .map(({ user }): Item => ({ kind: 'User', name: user, path: userPath(user) }))
  if (query === '') return [...userItems, ...PAGES]
  const lists: readonly Item[] = [
    ...vocabulary.phases.map((phase) => ({ name: `Phase ${phase}`, path: usersPath({ phase }) })),
    ...vocabulary.riskLevels.map((riskLevel) => ({ name: `Risk ${riskLevel}`, path: usersPath({ riskLevel }) })),
  ].map((item) => ({ kind: 'List', ...item }))
  return [...userItems, ...[...PAGES, ...lists].filter(({ name }) => name.toLowerCase().includes(query))]
}
