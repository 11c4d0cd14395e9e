import './list-menus.css'
import { type FormEvent, type ReactElement, useId, useState } from 'react'
import { Link } from 'wouter'
import { type UserSearch, usersPath } from '../../browser/location.ts'
import { setPreferences, usePreferences } from '../../browser/preferences.ts'
import { Button } from '../../components/button.tsx'
import { Checkbox } from '../../components/checkbox.tsx'
import { Popover } from '../../components/popover.tsx'
import { USER_COLUMNS, type UserColumn } from './columns.tsx'
import { isFiltered } from './user-search.ts'

const DEFAULT_COLUMNS: readonly string[] = USER_COLUMNS.filter(({ isDefault }) => isDefault).map(({ id }) => id)

/** The columns that the reader has chosen, in the order of the list. Unknown ones are left out. */
export function useColumns(): readonly UserColumn[] {
  const chosen = usePreferences().columns ?? DEFAULT_COLUMNS
  return USER_COLUMNS.filter(({ id }) => chosen.includes(id))
}

export function ColumnsMenu(): ReactElement {
  const chosen = usePreferences().columns ?? DEFAULT_COLUMNS
  const id = useId()
  function toggle(column: string, isShown: boolean): void {
    setPreferences({ columns: isShown ? [...chosen, column] : chosen.filter((other) => other !== column) })
  }
  return (
    <>
      <Button size="small" popoverTarget={id}>
        Columns
      </Button>
      <Popover id={id} className="list-menu">
        {USER_COLUMNS.map((column) => (
          <Checkbox
            key={column.id}
            label={column.name}
            checked={chosen.includes(column.id)}
            onChange={(isShown) => toggle(column.id, isShown)}
          />
        ))}
        <Button size="small" onClick={() => setPreferences({ columns: null })}>
          Default columns
        </Button>
      </Popover>
    </>
  )
}

/** Views that everyone has; the level of risk is the highest one. */
function builtInViews(highestRisk: string | undefined): readonly { name: string; path: string }[] {
  return [
    ...(highestRisk === undefined
      ? []
      : [{ name: `Risk ${highestRisk}`, path: usersPath({ riskLevel: highestRisk }) }]),
    { name: 'Near the cap', path: usersPath({ nearCap: 'true', orderBy: 'capUsed', order: 'desc' }) },
    { name: 'Near a limit', path: usersPath({ nearLimit: 'true' }) },
    { name: 'Blocked', path: usersPath({ blocked: 'true' }) },
    { name: 'Active now', path: usersPath({ activity: 'now' }) },
    { name: 'Not seen for 30 days', path: usersPath({ activity: '30d' }) },
  ]
}

/** Named filters. A view is an address, so it can also be sent to a colleague. */
export function ViewsMenu({
  search,
  highestRisk,
}: {
  search: UserSearch
  highestRisk: string | undefined
}): ReactElement {
  const { views } = usePreferences()
  const [name, setName] = useState('')
  const id = useId()
  function save(event: FormEvent): void {
    event.preventDefault()
    const view = { name: name.trim(), path: usersPath(search) }
    if (view.name === '') return
    setPreferences({ views: [...views.filter((other) => other.name !== view.name), view] })
    setName('')
  }
  return (
    <>
      <Button size="small" popoverTarget={id}>
        Views
      </Button>
      <Popover id={id} className="list-menu">
        {builtInViews(highestRisk).map((view) => (
          <ViewLink key={view.name} {...view} menu={id} />
        ))}
        {views.map((view) => (
          <div key={view.name} className="list-menu__saved">
            <ViewLink {...view} menu={id} />
            <Button
              size="small"
              aria-label={`Remove the view ${view.name}`}
              onClick={() => setPreferences({ views: views.filter((other) => other.name !== view.name) })}
            >
              Remove
            </Button>
          </div>
        ))}
        {isFiltered(search) && (
          <form onSubmit={save} className="list-menu__form">
            <input
              aria-label="Name of the view"
              placeholder="Save these filters as"
              value={name}
              maxLength={60}
              onInput={(event) => setName(event.currentTarget.value)}
            />
            <Button type="submit" disabled={name.trim() === ''}>
              Save
            </Button>
          </form>
        )}
      </Popover>
    </>
  )
}

function ViewLink({ name, path, menu }: { name: string; path: string; menu: string }): ReactElement {
  return (
    <Link href={path} className="list-menu__link" onClick={() => document.getElementById(menu)?.hidePopover()}>
      {name}
    </Link>
  )
}
