import './command-palette.css'
import { type KeyboardEvent, type ReactElement, useState } from 'react'
import { useLocation } from 'wouter'
import { Dialog } from '../components/dialog.tsx'
import { type PaletteItem, usePaletteItems } from './palette-items.ts'

/** Finds users, pages, lists and actions by a few letters. */
export function CommandPalette({ close }: { close(): void }): ReactElement {
  const [text, setText] = useState('')
  const [selected, setSelected] = useState(0)
  const [, navigate] = useLocation()
  const { items, hasMoreUsers } = usePaletteItems(text)
  const active = Math.min(selected, items.length - 1)

  function open(item: PaletteItem | undefined): void {
    if (item === undefined) return
    close()
    item.run?.()
    if (item.path !== undefined) navigate(item.path)
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
          placeholder="Find a user, a page or an action"
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
              key={`${item.kind} ${item.name}`}
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
        {items.length === 0 && <p className="muted">Nothing matches.</p>}
        {hasMoreUsers && <p className="muted small">More users match: type on to find them.</p>}
      </div>
    </Dialog>
  )
}
