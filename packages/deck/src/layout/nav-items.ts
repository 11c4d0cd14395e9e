/** Pages in the main navigation. */
export const NAV_ITEMS = [
  { path: '/users', name: 'Users' },
  { path: '/status', name: 'Status' },
] as const
