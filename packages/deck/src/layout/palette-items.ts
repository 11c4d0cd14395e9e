import { useQuery } from '@tanstack/react-query'
import { useLocation } from 'wouter'
import { usersQuery, useVocabulary } from '../api/queries.ts'
import { NO_SEARCH, parseUserSegment, userPath, usersPath } from '../browser/location.ts'
import { setPreferences } from '../browser/preferences.ts'
import { NAV_ITEMS } from './nav-items.ts'
import { isAtLeast, type Role, useSession } from './session.ts'

/** One result of the command palette: a path to go to, or something to do. */
export interface PaletteItem {
  readonly kind: 'User' | 'Page' | 'List' | 'Action'
  readonly name: string
  readonly path?: string
  run?(): void
}

const MAX_USERS = 8

const PAGES: readonly PaletteItem[] = [
  ...NAV_ITEMS.map(({ name, path }) => ({ kind: 'Page', name, path }) as const),
  { kind: 'List', name: 'Blocked users', path: usersPath({ blocked: 'true' }) },
  { kind: 'List', name: 'Users near the daily cap', path: usersPath({ nearCap: 'true' }) },
  { kind: 'List', name: 'Users active now', path: usersPath({ activity: 'now' }) },
]

const PREFERENCES: readonly PaletteItem[] = [
  { kind: 'Action', name: 'Use the light theme', run: () => setPreferences({ theme: 'light' }) },
  { kind: 'Action', name: 'Use the dark theme', run: () => setPreferences({ theme: 'dark' }) },
  { kind: 'Action', name: 'Use the theme of the system', run: () => setPreferences({ theme: 'system' }) },
  { kind: 'Action', name: 'Show times in UTC', run: () => setPreferences({ zone: 'utc' }) },
  { kind: 'Action', name: 'Show times in the local zone', run: () => setPreferences({ zone: 'mine' }) },
]

/** What can be done to a user: the value of `do` in the address of the user's page opens the dialog. */
const USER_ACTIONS: readonly (readonly [dialog: string, name: string, role: Role])[] = [
  ['cap', 'Change the daily cap of', 'operator'],
  ['correct', 'Correct phase or risk of', 'operator'],
  ['block', 'Block', 'operator'],
  ['unblock', 'Unblock', 'operator'],
  ['zone', 'Set the time zone of', 'operator'],
  ['evict', 'Close live clients of', 'operator'],
  ['erase', 'Erase', 'admin'],
]

/**
 * What the text matches, best first: users, what can be done to the user whose page is open, pages, lists, preferences.
 * Without a text only users and pages.
 */
export function usePaletteItems(text: string): {
  readonly items: readonly PaletteItem[]
  /** Whether more users match than are listed. */
  readonly hasMoreUsers: boolean
} {
  const vocabulary = useVocabulary()
  const { role } = useSession()
  const [path] = useLocation()
  const orderBy = text === '' ? 'lastSeenAt' : 'id'
  const users = useQuery(usersQuery({ ...NO_SEARCH, q: text, orderBy, order: '' }, 0, MAX_USERS + 1))
  const query = text.trim().toLowerCase()
  // Until the response to the latest letters arrives, those users of the previous one are shown that still match.
  const userItems = (users.data?.data ?? [])
    .filter(({ user }) => user.includes(text))
    .slice(0, MAX_USERS)
    .map(({ user }): PaletteItem => ({ kind: 'User', name: user, path: userPath(user) }))
  const hasMoreUsers = (users.data?.data.length ?? 0) > MAX_USERS
  const actions = actionsFor(path, role)
  if (query === '') return { items: [...actions, ...userItems, ...PAGES], hasMoreUsers }
  const lists = [
    ...vocabulary.phases.map((phase) => ({ name: `Phase ${phase}`, path: usersPath({ phase }) })),
    ...vocabulary.riskLevels.map((riskLevel) => ({ name: `Risk ${riskLevel}`, path: usersPath({ riskLevel }) })),
  ].map((item): PaletteItem => ({ kind: 'List', ...item }))
  const others = [...actions, ...PAGES, ...lists, ...PREFERENCES]
  return { items: [...userItems, ...others.filter(({ name }) => name.toLowerCase().includes(query))], hasMoreUsers }
}

/** Actions on the user whose page is open. */
function actionsFor(path: string, role: Role): readonly PaletteItem[] {
  const segment = /^\/users\/([^/]+)$/.exec(path)?.[1]
  const user = segment === undefined ? undefined : parseUserSegment(segment)
  if (user === undefined) return []
  return USER_ACTIONS.filter(([, , required]) => isAtLeast(role, required)).map(([dialog, name]) => ({
    kind: 'Action',
    name: `${name} ${user}`,
    path: `${userPath(user)}?do=${dialog}`,
  }))
}
