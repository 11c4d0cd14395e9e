import './toolbar.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement, RefObject } from 'react'
import { plansQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { UserSearch } from '../../browser/location.ts'
import { Checkbox } from '../../components/checkbox.tsx'
import { DelayedInput } from '../../components/delayed-input.tsx'
import { LabeledSelect, Select } from '../../components/select.tsx'
import { ORDERS } from './user-search.ts'

const ORDER_OPTIONS = ORDERS.map(({ orderBy, order, name }) => [`${orderBy} ${order}`, name] as const)

const ACTIVITIES = [
  ['', 'Any activity'],
  ['now', 'Active now'],
  ['today', 'Active today'],
  ['7d', 'Not for 7 days'],
  ['30d', 'Not for 30 days'],
] as const

const USES = [
  ['', 'Any use'],
  ['cap', 'Near the cap'],
  ['limit', 'Near a limit'],
] as const

/** Filters and order of the user list. */
export function Toolbar(props: {
  search: UserSearch
  change(fields: Partial<UserSearch>): void
  vocabulary: Vocabulary
  inputRef: RefObject<HTMLInputElement | null>
}): ReactElement {
  const { search, change, vocabulary } = props
  const plans = useQuery(plansQuery).data?.data.map(({ name }) => name)
  const filter = (label: string, field: 'phase' | 'riskLevel' | 'plan', values: readonly string[]): ReactElement => (
    <Filter
      label={label}
      value={search[field]}
      values={values}
      change={(value) => change({ [field]: value } as Partial<UserSearch>)}
    />
  )
  return (
    <search className="toolbar">
      <IdSearch value={search.q} change={(q) => change({ q })} inputRef={props.inputRef} />
      {filter('Risk', 'riskLevel', vocabulary.riskLevels)}
      {filter('Phase', 'phase', vocabulary.phases)}
      {/* While it is not known whether there are plans, so that nothing moves then. */}
      {plans?.length !== 0 && filter('Plan', 'plan', plans ?? [])}
      <Select
        aria-label="Activity"
        value={search.activity}
        options={ACTIVITIES}
        isActive={search.activity !== ''}
        onChange={(activity) => change({ activity })}
      />
      <Select
        aria-label="Use"
        value={search.nearCap === 'true' ? 'cap' : search.nearLimit === 'true' ? 'limit' : ''}
        options={USES}
        isActive={search.nearCap === 'true' || search.nearLimit === 'true'}
        onChange={(use) => change({ nearCap: use === 'cap' ? 'true' : '', nearLimit: use === 'limit' ? 'true' : '' })}
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
  value: string
  values: readonly string[]
  change(value: string): void
}): ReactElement {
  const { label, value, values } = props
  const known = value === '' || values.includes(value) ? values : [...values, value]
  return (
    <Select
      aria-label={label}
      value={value}
      options={[['', `Any ${label.toLowerCase()}`], ...known.map((name) => [name, name] as const)]}
      isActive={value !== ''}
      onChange={props.change}
    />
  )
}

/** Searches by a part of the id. */
function IdSearch(props: {
  value: string
  change(value: string): void
  inputRef: RefObject<HTMLInputElement | null>
}): ReactElement {
  return (
    <div className="id-search">
      <DelayedInput
        inputRef={props.inputRef}
        className="id-search__input"
        label="Search users by a part of the id"
        placeholder="Search by id"
        value={props.value}
        onChange={props.change}
      />
      <span className="id-search__key" aria-hidden="true">
        <kbd>/</kbd>
      </span>
    </div>
  )
}
