/** The authenticated caller of a request: from a key, a session or the host's `authorize`. */
export interface Identity {
  /** Of the key, also for a session that was opened with it. Unlike a name, it is never used again. */
  readonly id: string
  readonly role: Role
  /** Where the caller's requests come from, for the event log. */
  readonly origin: 'api' | 'deck' | 'host' | 'command'
  /** Recorded as the actor of what this caller changes. */
  readonly name: string
  /** The user that a key of the role `user` belongs to. */
  readonly user?: string | undefined
}

export type Role = 'user' | 'service' | 'viewer' | 'operator' | 'admin'
export const ROLES: readonly Role[] = ['user', 'service', 'viewer', 'operator', 'admin']

/** The roles that may sign in to the Deck. */
export const DECK_ROLES: readonly Role[] = ['viewer', 'operator', 'admin']

/** What a route requires of its caller. */
export type Scope =
  /** No authentication. */
  | 'public'
  /** Any valid key or session. */
  | 'authenticated'
  /** Gateway requests, for the key's own user or a named one. */
  | 'chat'
  /** Data that an application stores about its users. */
  | 'application:read'
  | 'application:write'
  /** Fields that both an application and an operator may set. */
  | 'users:write'
  | 'read'
  | 'users:moderate'
  | 'admin'

/**
 * The roles that have each scope. Every route declares one scope; registering a route without one throws. An admin can
 * create a service key, so denying admins what a service may do would protect nothing. Only `user` and `service` keys
 * may use the gateway, because a chat request always belongs to a user.
 */
export const SCOPE_ROLES: Readonly<Record<Scope, readonly Role[]>> = {
  public: ROLES,
  authenticated: ROLES,
  chat: ['user', 'service'],
  'application:read': ['service', 'viewer', 'operator', 'admin'],
  'application:write': ['service', 'admin'],
  'users:write': ['service', 'operator', 'admin'],
  read: ['viewer', 'operator', 'admin'],
  'users:moderate': ['operator', 'admin'],
  admin: ['admin'],
}

export function isRole(value: unknown): value is Role {
  return ROLES.includes(value as Role)
}
