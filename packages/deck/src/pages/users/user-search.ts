import { useCallback } from 'react'
import { useSearchParams } from 'wouter'
import { NO_SEARCH, SEARCH_FIELDS, type UserSearch } from '../../browser/location.ts'

export const ORDERS = [
  { orderBy: 'lastSeenAt', order: 'desc', name: 'Last seen' },
  { orderBy: 'capUsed', order: 'desc', name: 'Closest to the cap' },
  { orderBy: 'peak', order: 'desc', name: 'Highest peak' },
  { orderBy: 'createdAt', order: 'desc', name: 'Newest' },
  { orderBy: 'id', order: 'asc', name: 'Id' },
] as const

const { orderBy, order, ...FILTERS } = NO_SEARCH

/** What removes all filters, and leaves the order. */
export const NO_FILTERS: Partial<UserSearch> = FILTERS

/** Filters and order of the list, stored in the URL: a copied address shows the same list. */
export function useUserSearch(): [search: UserSearch, change: (fields: Partial<UserSearch>) => void] {
  const [params, setParams] = useSearchParams()
  const values = Object.fromEntries(SEARCH_FIELDS.map((name) => [name, params.get(name) ?? '']))
  const search = { ...(values as unknown as UserSearch), ...(values.orderBy === '' ? { orderBy, order } : {}) }
  const change = useCallback(
    (fields: Partial<UserSearch>) => {
      const isTyping = 'q' in fields
      setParams(
        (before) => {
          const next = new URLSearchParams(before)
          for (const [name, value] of Object.entries(fields)) {
            if (value === '' || value === undefined) next.delete(name)
            else next.set(name, value)
          }
          return next
        },
        { replace: isTyping },
      )
    },
    [setParams],
  )
  return [search, change]
}

/** Whether any filter is set. */
export function isFiltered(search: UserSearch): boolean {
  return (Object.keys(NO_FILTERS) as (keyof UserSearch)[]).some((name) => search[name] !== '')
}
