import { type ReactElement, type RefObject, useEffect, useRef, useState } from 'react'
import type { UserSearch } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import { after } from '../../browser/effects.ts'
import { ORDERS } from './search.ts'

const TYPING_MS = 200

/** Narrowing and ordering the list. */
export function Toolbar(props: {
  search: UserSearch
  change(fields: Partial<UserSearch>): void
  vocabulary: Vocabulary
  field: RefObject<HTMLInputElement | null>
}): ReactElement {
  const { search, change, vocabulary } = props
  return (
    <search className="toolbar">
      <Find value={search.q} change={(q) => change({ q })} field={props.field} />
      <Pick
        label="Phase"
        all="Any phase"
        value={search.phase}
        options={withValue(vocabulary.phases, search.phase)}
        change={(phase) => change({ phase })}
      />
      <Pick
        label="Risk"
        all="Any risk"
        value={search.riskLevel}
        options={withValue(vocabulary.riskLevels, search.riskLevel)}
        change={(riskLevel) => change({ riskLevel })}
      />
      <label className="check boxed">
        <input
          type="checkbox"
          checked={search.blocked === 'true'}
          onChange={(event) => change({ blocked: event.currentTarget.checked ? 'true' : '' })}
        />
        Blocked
      </label>
      <label className="order">
        <span>Order</span>
        <select
          value={`${search.orderBy} ${search.order}`}
          onChange={(event) => {
            const [orderBy = '', order = ''] = event.currentTarget.value.split(' ')
            change({ orderBy, order })
          }}
        >
          {ORDERS.map(({ orderBy, order, name }) => (
            <option key={orderBy} value={`${orderBy} ${order}`}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </search>
  )
}

function withValue(options: readonly string[], value: string): readonly string[] {
  return value === '' || options.includes(value) ? options : [...options, value]
}

function Pick(props: {
  label: string
  all: string
  value: string
  options: readonly string[]
  change(value: string): void
}): ReactElement {
  return (
    <select
      aria-label={props.label}
      value={props.value}
      onChange={(event) => props.change(event.currentTarget.value)}
      data-chosen={props.value === '' ? undefined : ''}
    >
      <option value="">{props.all}</option>
      {props.options.map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  )
}

/** Ids are found by their beginning; the list follows the typing a moment behind. */
function Find(props: {
  value: string
  change(value: string): void
  field: RefObject<HTMLInputElement | null>
}): ReactElement {
  const [text, setText] = useState(props.value)
  const cancel = useRef<() => void>(undefined)
  useEffect(() => setText(props.value), [props.value])
  useEffect(() => () => cancel.current?.(), [])
  return (
    <div className="find">
      <input
        ref={props.field}
        type="search"
        aria-label="Find a user by the beginning of the id"
        placeholder="Find by id"
        value={text}
        autoComplete="off"
        spellCheck="false"
        onInput={(event) => {
          const next = event.currentTarget.value
          setText(next)
          cancel.current?.()
          cancel.current = after(TYPING_MS, () => props.change(next))
        }}
      />
      <span className="key" aria-hidden="true">
        /
      </span>
    </div>
  )
}
