import { createContext, useContext } from 'react'
import type { Role, Session } from '../api/responses.ts'

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 }

export const SessionContext = createContext<Session>({ name: '', role: 'viewer' })

export function useSession(): Session {
  return useContext(SessionContext)
}

/** Whether the signed-in role includes `role`. Only hides controls: the server checks every request. */
export function useCan(role: Role): boolean {
  return RANKS[useSession().role] >= RANKS[role]
}
