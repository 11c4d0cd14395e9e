import { useSyncExternalStore } from 'react'
import type { BaseLocationHook } from 'wouter'

/**
 * The location is in the fragment of the URL: `deck/#/users/ada?types=risk`. One document then works under any prefix
 * and behind any proxy without rewriting, and user ids stay out of access logs, because a browser never sends the
 * fragment.
 */
function readFragment(): string {
  const text = window.location.hash.replace(/^#\/?/, '')
  return `/${text}`
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

function useFragment(): string {
  return useSyncExternalStore(subscribe, readFragment)
}

/** Navigates to a path with an optional query; with `replace` no history entry is added. */
function navigate(to: string, options: { replace?: boolean } = {}): void {
  const oldURL = window.location.href
  const url = new URL(oldURL)
  url.hash = to
  window.history[options.replace ? 'replaceState' : 'pushState'](null, '', url)
  window.dispatchEvent(new HashChangeEvent('hashchange', { oldURL, newURL: url.href }))
}

/** The router decodes the values of a location hook, so an id like `100%` would be decoded twice. This cancels the first. */
function escapePercent(text: string): string {
  return text.replaceAll('%', '%25')
}

type HashLocationHook = BaseLocationHook & { hrefs: (href: string) => string; searchHook: () => string }

/** Location hook for wouter's `Router`. */
export const useHashLocation: HashLocationHook = Object.assign(
  (): [string, typeof navigate] => [escapePercent(useFragment().replace(/\?.*$/s, '')), navigate],
  {
    hrefs: (href: string): string => `#${href}`,
    searchHook: (): string => escapePercent(/\?(.*)$/s.exec(useFragment())?.[1] ?? ''),
  },
)

type Params = Readonly<Record<string, string>>

/** A path with the parameters that are not ''. */
function pathOf(path: string, params: Params): string {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== '')).toString()
  return query === '' ? path : `${path}?${query}`
}

/** Path of a user's page; `params` are those of its address, such as `tab` and `types`. */
export function userPath(user: string, params: Params = {}): string {
  return pathOf(`/users/${encodeURIComponent(user)}`, params)
}

/** Path of the turns of all users with filters. */
export function turnsPath(filter: Params): string {
  return pathOf('/turns', filter)
}

/** Path of the audit log with filters. */
export function auditPath(filter: Params): string {
  return pathOf('/audit', filter)
}

/** Filters and order of the user list, as in the URL; '' if not set. */
export interface UserSearch {
  /** Part of the id. */
  readonly q: string
  readonly phase: string
  readonly riskLevel: string
  readonly plan: string
  /** 'true': only blocked users. */
  readonly blocked: string
  /** 'true': only users who have used most of their cap. */
  readonly nearCap: string
  /** 'true': only users who have used most of one of their limits. */
  readonly nearLimit: string
  /** 'now', 'today', or how long users were not seen: '7d', '30d'. */
  readonly activity: string
  readonly orderBy: string
  readonly order: string
}

/** All users, in the order that was last seen first. */
export const NO_SEARCH: UserSearch = {
  q: '',
  phase: '',
  riskLevel: '',
  plan: '',
  blocked: '',
  nearCap: '',
  nearLimit: '',
  activity: '',
  orderBy: 'lastSeenAt',
  order: 'desc',
}

export const SEARCH_FIELDS = Object.keys(NO_SEARCH) as readonly (keyof UserSearch)[]

/** Path of the user list with these fields set and no others. */
export function usersPath(search: Partial<UserSearch>): string {
  return pathOf('/users', Object.fromEntries(SEARCH_FIELDS.map((name) => [name, search[name] ?? ''])))
}

/** Decodes the user id in a path segment; undefined when the encoding is malformed. */
export function parseUserSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
