import { useCallback } from 'react'
import { useSearchParams } from 'wouter'
import type { UserSearch } from '../../browser/location.ts'

export const ORDERS = [
  { orderBy: 'lastSeenAt', order: 'desc', name: 'Last seen' },
  { orderBy: 'capUsed', order: 'desc', name: 'Closest to the cap' },
  { orderBy: 'peak', order: 'desc', name: 'Highest peak' },
  { orderBy: 'createdAt', order: 'desc', name: 'Newest' },
  { orderBy: 'id', order: 'asc', name: 'Id' },
] as const

/** Filters, order and page of the list, stored in the URL: a copied address shows the same list. */
export function useUserSearch(): [search: UserSearch, change: (fields: Partial<UserSearch>) => void] {
  const [params, setParams] = useSearchParams()
  const search: UserSearch = {
    q: params.get('q') ?? '',
    phase: params.get('phase') ?? '',
    riskLevel: params.get('riskLevel') ?? '',
    blocked: params.get('blocked') ?? '',
    orderBy: params.get('orderBy') ?? ORDERS[0].orderBy,
    order: params.get('order') ?? ORDERS[0].order,
    cursor: params.get('cursor') ?? '',
  }
  const change = useCallback(
    (fields: Partial<UserSearch>) => {
      const isTyping = 'q' in fields
      setParams(
        (before) => {
          const next = new URLSearchParams(before)
          // Another filter or order starts on the first page.
          if (!('cursor' in fields)) next.delete('cursor')
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
  return search.q !== '' || search.phase !== '' || search.riskLevel !== '' || search.blocked !== ''
}
