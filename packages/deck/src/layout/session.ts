import { createContext, useContext } from 'react'
import type { Session } from '../api/wire.ts'

export type Role = Session['role']

const RANKS: Readonly<Record<Role, number>> = { user: 0, service: 0, viewer: 1, operator: 2, admin: 3 }

export const SessionContext = createContext<Session>({ name: '', role: 'viewer', expiresAt: null, kind: 'key' })

export function useSession(): Session {
  return useContext(SessionContext)
}

export function isAtLeast(role: Role, required: Role): boolean {
  return RANKS[role] >= RANKS[required]
}

/** Whether the signed-in role includes `role`. Only hides controls: the server checks every request. */
export function useCan(role: Role): boolean {
  return isAtLeast(useSession().role, role)
}
