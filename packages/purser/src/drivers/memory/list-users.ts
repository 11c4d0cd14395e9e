import { LOG_OF_NAMESPACE } from '../../storage/commit.ts'
import type { ListedUser, Overview, UserQuery } from '../../storage/store.ts'
import { compareText } from '../text-order.ts'
import { type MemoryUser, rowOf } from './rows.ts'

interface Candidate {
  readonly stored: MemoryUser
  readonly id: string
  readonly value: string | number | null
}

/** One page of users. Visits all users once and keeps the first ones of the order. */
export function listUsers(users: Iterable<MemoryUser>, query: UserQuery): ListedUser[] {
  const direction = query.order === 'ascending' ? 1 : -1
  const { offset = 0 } = query
  if (offset > 0) return listFar(users, query).slice(offset, offset + query.limit)
  const compare = (a: Omit<Candidate, 'stored'>, b: Omit<Candidate, 'stored'>): number =>
    direction * (compareValues(a.value, b.value) || compareText(a.id, b.id))
  const page: Candidate[] = []
  for (const stored of users) {
    if (!matches(stored, query)) continue
    const candidate = { stored, id: stored.user.id, value: orderValue(stored, query) }
    if (query.after !== undefined && compare(candidate, query.after) <= 0) continue
    let index = page.length
    while (index > 0 && compare(candidate, page[index - 1] as Candidate) < 0) index--
    if (index >= query.limit) continue
    page.splice(index, 0, candidate)
    if (page.length > query.limit) page.pop()
  }
  return page.map(({ stored, id, value }) => ({ id, value, row: rowOf(stored) }))
}

/** Users up to the end of a page that is far from the first one: all that match, sorted. */
function listFar(users: Iterable<MemoryUser>, { offset: _, ...query }: UserQuery): ListedUser[] {
  const matching = [...users].filter((stored) => matches(stored, query))
  return listUsers(matching, { ...query, limit: matching.length })
}

export function countMatching(users: Iterable<MemoryUser>, query: UserQuery): number {
  let count = 0
  for (const stored of users) if (matches(stored, query)) count++
  return count
}

export function countUsers(users: Iterable<MemoryUser>, namespace: string): Overview {
  let count = 0
  let blocked = 0
  const phases = new Map<string, number>()
  const riskLevels = new Map<string, number>()
  for (const { user, facets } of users) {
    if (user.namespace !== namespace || user.id === LOG_OF_NAMESPACE) continue
    count++
    if (facets.blocked) blocked++
    phases.set(facets.phase, (phases.get(facets.phase) ?? 0) + 1)
    riskLevels.set(facets.riskLevel, (riskLevels.get(facets.riskLevel) ?? 0) + 1)
  }
  return { users: count, blocked, phases: Object.fromEntries(phases), riskLevels: Object.fromEntries(riskLevels) }
}

function matches({ user, facets, stamps }: MemoryUser, query: UserQuery): boolean {
  if (user.namespace !== query.namespace || user.id === LOG_OF_NAMESPACE) return false
  if (query.phase !== undefined && facets.phase !== query.phase) return false
  if (query.riskLevel !== undefined && facets.riskLevel !== query.riskLevel) return false
  if (query.blocked !== undefined && facets.blocked !== query.blocked) return false
  if (!wasSeen(stamps.seenAt, query)) return false
  if (query.contains !== undefined && !user.id.includes(query.contains)) return false
  if (query.capUsed !== undefined && capUsedAt({ facets, now: query.now }) < query.capUsed) return false
  return query.prefix === undefined || user.id.startsWith(query.prefix)
}

function wasSeen(seenAt: number | null, { seenSince, seenBefore }: UserQuery): boolean {
  if (seenSince !== undefined && (seenAt === null || seenAt < seenSince)) return false
  return seenBefore === undefined || seenAt === null || seenAt < seenBefore
}

function orderValue({ user, facets, stamps }: MemoryUser, { orderBy, now }: UserQuery): string | number | null {
  switch (orderBy) {
    case 'id':
      return user.id
    case 'seenAt':
      return stamps.seenAt
    case 'createdAt':
      return stamps.createdAt
    case 'capUsed':
      return capUsedAt({ facets, now })
    case 'peak':
      return facets.peak
  }
}

/** In a window that has ended, nothing is used. */
function capUsedAt({ facets, now }: { facets: MemoryUser['facets']; now: number }): number {
  return facets.capUsedUntil !== null && facets.capUsedUntil <= now ? 0 : facets.capUsed
}

function compareValues(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  return Number(a) - Number(b)
}
