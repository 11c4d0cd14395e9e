/** What a key, a session or the host's own `authorize` says of who is calling. */
export interface Identity {
  readonly role: Role
  /** Stands as the actor of what this caller does. */
  readonly name: string
  /** The user a `user` key is. */
  readonly user?: string | undefined
}

export type Role = 'user' | 'service' | 'viewer' | 'operator' | 'admin'
export const ROLES: readonly Role[] = ['user', 'service', 'viewer', 'operator', 'admin']

/** The roles that may sign in to the Deck. */
export const DECK_ROLES: readonly Role[] = ['viewer', 'operator', 'admin']

export type Access =
  /** Nobody needs to be known. */
  | 'public'
  /** Any valid key or session. */
  | 'known'
  /** A chat request, as oneself or for a named user. */
  | 'chat'
  /** What an application keeps of its users. */
  | 'application:read'
  | 'application:write'
  /** What an application and its operators may both set. */
  | 'tend'
  | 'read'
  | 'operate'
  | 'administer'

/**
 * Every route names one kind of access; a route that names none does not start. An admin can make a service key, so
 * refusing an admin what a service may do would protect nothing; the gateway is closed to all but its own keys, because
 * a chat is always somebody's.
 */
export const ACCESS: Readonly<Record<Access, readonly Role[]>> = {
  public: ROLES,
  known: ROLES,
  chat: ['user', 'service'],
  'application:read': ['service', 'viewer', 'operator', 'admin'],
  'application:write': ['service', 'admin'],
  tend: ['service', 'operator', 'admin'],
  read: ['viewer', 'operator', 'admin'],
  operate: ['operator', 'admin'],
  administer: ['admin'],
}

export function isRole(value: unknown): value is Role {
  return ROLES.includes(value as Role)
}
