import { useSyncExternalStore } from 'react'
import type { BaseLocationHook } from 'wouter'

/**
 * Where the reader is stands in the fragment: `deck/#/users/ada?types=risk`. The page then works under any prefix
 * and behind any proxy with one document and no rewriting, and the ids that an operator looks at stay out of
 * access logs, because a browser never sends the fragment.
 */
function fragment(): string {
  const text = window.location.hash.replace(/^#\/?/, '')
  return `/${text}`
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

function useFragment(): string {
  return useSyncExternalStore(subscribe, fragment)
}

/** Goes to `to`, a path with an optional query; `replace` leaves no entry behind in the history. */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  const oldURL = window.location.href
  const address = new URL(oldURL)
  address.hash = to
  window.history[options.replace ? 'replaceState' : 'pushState'](null, '', address)
  window.dispatchEvent(new HashChangeEvent('hashchange', { oldURL, newURL: address.href }))
}

/** The router decodes what a location hook gives it; an id like `100%` would be decoded twice. This undoes the first. */
function shield(text: string): string {
  return text.replaceAll('%', '%25')
}

type FragmentHook = BaseLocationHook & { hrefs: (href: string) => string; searchHook: () => string }

export const useFragmentLocation: FragmentHook = Object.assign(
  (): [string, typeof navigate] => [shield(useFragment().replace(/\?.*$/s, '')), navigate],
  {
    hrefs: (href: string): string => `#${href}`,
    searchHook: (): string => shield(/\?(.*)$/s.exec(useFragment())?.[1] ?? ''),
  },
)

/** The path of a user's page. */
export function userPath(user: string): string {
  return `/users/${encodeURIComponent(user)}`
}

/** The user id in a path segment; undefined when the segment is damaged. */
export function userOfSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
