import { useQueryClient } from '@tanstack/react-query'
import { apiUrl, call } from '../../api/client.ts'
import type { Bond, Verification } from '../../api/wire.ts'
import { notify } from '../../layout/toasts.tsx'
import { whole } from '../../time/instants.ts'

/** Everything an operator can do to a user. Each resolves when the server has done it and the page is being renewed. */
export interface Acts {
  setCap(cap: number | null, reason: string): Promise<void>
  block(reason: string, until: string | null): Promise<void>
  unblock(reason: string): Promise<void>
  correct(fields: { phase?: string; riskLevel?: string }, reason: string): Promise<void>
  addNote(text: string): Promise<void>
  evict(reason: string): Promise<void>
  verify(): Promise<Verification>
  erase(reason: string): Promise<{ erased: Record<string, number>; purged: boolean }>
}

export function useActs(bond: Bond): Acts {
  const queries = useQueryClient()
  const { user } = bond

  async function send<Answer>(
    method: 'POST' | 'PUT' | 'DELETE',
    path: readonly string[],
    body: Readonly<Record<string, unknown>>,
  ): Promise<Answer> {
    const given = Object.fromEntries(
      Object.entries(body).filter(([name, value]) => !(name === 'reason' && value === '')),
    )
    const answer = await call<Answer>(apiUrl(['users', user, ...path]), { method, body: given })
    void queries.invalidateQueries({ queryKey: ['user', user] })
    void queries.invalidateQueries({ queryKey: ['users'] })
    void queries.invalidateQueries({ queryKey: ['overview'] })
    return answer
  }
  const putCap = (cap: number | null, reason: string): Promise<unknown> => send('PUT', ['cap'], { cap, reason })
  const putBlock = (reason: string, until: string | null): Promise<unknown> =>
    send('PUT', ['block'], until === null ? { reason } : { reason, until })
  const removeBlock = (reason: string): Promise<unknown> => send('DELETE', ['block'], { reason })

  return {
    async setCap(cap, reason) {
      const before = bond.capOrigin === 'default' ? null : bond.dailyCap
      await putCap(cap, reason)
      const told = cap === null ? 'the default' : cap === 0 ? 'unlimited' : `${whole(cap)} a day`
      notify(`The cap is ${told} now.`, () => putCap(before, 'taken back'))
    },
    async block(reason, until) {
      await putBlock(reason, until)
      notify(`${user} is blocked.`, () => removeBlock('taken back'))
    },
    async unblock(reason) {
      const before = bond.blocked
      await removeBlock(reason)
      notify(`${user} may chat again.`, before === null ? undefined : () => putBlock(before.reason, before.until))
    },
    async correct(fields, reason) {
      const before = {
        ...(fields.phase === undefined ? {} : { phase: bond.phase }),
        ...(fields.riskLevel === undefined ? {} : { riskLevel: bond.riskLevel }),
      }
      await send('POST', ['correct'], { ...fields, reason })
      notify('Corrected.', () => send('POST', ['correct'], { ...before, reason: 'taken back' }))
    },
    async addNote(text) {
      await send('POST', ['notes'], { text })
    },
    async evict(reason) {
      await send('POST', ['evict'], { reason })
      notify('Live clients close as soon as nobody uses them.')
    },
    verify: () => call(apiUrl(['users', user, 'verify'])),
    erase: (reason) => send('POST', ['erase'], { reason }),
  }
}
