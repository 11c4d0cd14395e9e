import { createContext, useContext } from 'react'
import type { Role, Session } from '../api/wire.ts'

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 }

export const SessionContext = createContext<Session>({ name: '', role: 'viewer' })

export function useSession(): Session {
  return useContext(SessionContext)
}

/** Whether who is signed in may do what takes `role`. The server decides; this only keeps idle buttons away. */
export function useMay(role: Role): boolean {
  return RANKS[useSession().role] >= RANKS[role]
}
