/** Pages in the main navigation. */
export const NAV_ITEMS = [
  { path: '/', name: 'Overview' },
  { path: '/users', name: 'Users' },
  { path: '/turns', name: 'Turns' },
  { path: '/audit', name: 'Audit' },
  { path: '/limits', name: 'Limits' },
  { path: '/instances', name: 'Instances' },
  { path: '/settings', name: 'Settings' },
] as const

/** Whether a page is the one of a navigation item or below it. */
export function isCurrent(itemPath: string, path: string): boolean {
  return itemPath === '/' ? path === '/' : path === itemPath || path.startsWith(`${itemPath}/`)
}
