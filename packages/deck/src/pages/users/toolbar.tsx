import './toolbar.css'
import { type ReactElement, type RefObject, useEffect, useRef, useState } from 'react'
import type { Vocabulary } from '../../api/vocabulary.ts'
import { setTimer } from '../../browser/effects.ts'
import type { UserSearch } from '../../browser/location.ts'
import { Checkbox } from '../../components/checkbox.tsx'
import { LabeledSelect, Select } from '../../components/select.tsx'
import { ORDERS } from './user-search.ts'

const TYPING_DELAY_MS = 200

const ORDER_OPTIONS = ORDERS.map(({ orderBy, order, name }) => [`${orderBy} ${order}`, name] as const)

/** Filters and order of the user list. */
export function Toolbar(props: {
  search: UserSearch
  change(fields: Partial<UserSearch>): void
  vocabulary: Vocabulary
  inputRef: RefObject<HTMLInputElement | null>
}): ReactElement {
  const { search, change, vocabulary } = props
  return (
    <search className="toolbar">
      <IdSearch value={search.q} change={(q) => change({ q })} inputRef={props.inputRef} />
      <Filter
        label="Phase"
        anyLabel="Any phase"
        value={search.phase}
        values={vocabulary.phases}
        change={(phase) => change({ phase })}
      />
      <Filter
        label="Risk"
        anyLabel="Any risk"
        value={search.riskLevel}
        values={vocabulary.riskLevels}
        change={(riskLevel) => change({ riskLevel })}
      />
      <Checkbox
        label="Blocked"
        boxed
        checked={search.blocked === 'true'}
        onChange={(checked) => change({ blocked: checked ? 'true' : '' })}
      />
      <LabeledSelect
        label="Order"
        className="toolbar__order"
        value={`${search.orderBy} ${search.order}`}
        options={ORDER_OPTIONS}
        onChange={(value) => {
          const [orderBy = '', order = ''] = value.split(' ')
          change({ orderBy, order })
        }}
      />
    </search>
  )
}

/** A select for one filter; a value from the URL that is not in use is offered as well. */
function Filter(props: {
  label: string
  anyLabel: string
  value: string
  values: readonly string[]
  change(value: string): void
}): ReactElement {
  const { value, values } = props
  const known = value === '' || values.includes(value) ? values : [...values, value]
  return (
    <Select
      aria-label={props.label}
      value={value}
      options={[['', props.anyLabel], ...known.map((name) => [name, name] as const)]}
      isActive={value !== ''}
      onChange={props.change}
    />
  )
}

/** Searches by the start of the id; the list follows 200 ms after the last letter. */
function IdSearch(props: {
  value: string
  change(value: string): void
  inputRef: RefObject<HTMLInputElement | null>
}): ReactElement {
  const [text, setText] = useState(props.value)
  const cancelTimer = useRef<() => void>(undefined)
  useEffect(() => setText(props.value), [props.value])
  useEffect(() => () => cancelTimer.current?.(), [])
  return (
    <div className="id-search">
      <input
        ref={props.inputRef}
        className="id-search__input"
        type="search"
        aria-label="Search users by the start of the id"
        placeholder="Search by id"
        value={text}
        autoComplete="off"
        spellCheck="false"
        onInput={(event) => {
          const next = event.currentTarget.value
          setText(next)
          cancelTimer.current?.()
          cancelTimer.current = setTimer(() => props.change(next), TYPING_DELAY_MS)
        }}
      />
      <span className="id-search__key" aria-hidden="true">
        <kbd>/</kbd>
      </span>
    </div>
  )
}
