import { type QueryKey, type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query'
import type { Bond, EraseReceipt, Note, Verification } from 'purser'
import { apiUrl, fetchApi } from '../../api/client.ts'
import { formatInteger, pluralize } from '../../format-number.ts'
import { showToast } from '../../layout/toasts.tsx'
import { verificationMessage } from './verification-message.ts'

/* One hook for each thing that an operator can do to a user. An empty reason is not sent. */

/** `reason` of the requests that undo another one. */
const UNDO_REASON = 'Undone by operator'

export function useSetCap(bond: Bond): UserMutation<{ cap: number | null; reason: string }> {
  const setCap = (cap: number | null, reason: string): Promise<Bond> => send(bond, 'PUT', 'cap', { cap, reason })
  return useUserMutation({
    mutate: ({ cap, reason }) => setCap(cap, reason),
    invalidates: bondKeys(bond),
    message: (_, { cap }) =>
      `Cap set to ${cap === null ? 'the default' : cap === 0 ? 'unlimited' : `${formatInteger(cap)} per day`}.`,
    createUndo() {
      const previous = bond.capOrigin === 'default' ? null : bond.dailyCap
      return () => setCap(previous, UNDO_REASON)
    },
  })
}

export function useBlock(bond: Bond): UserMutation<{ reason: string; until: string | null }> {
  return useUserMutation({
    mutate: (block) => sendBlock(bond, block),
    invalidates: bondKeys(bond),
    message: () => `${bond.user} is blocked.`,
    createUndo: () => () => sendUnblock(bond, UNDO_REASON),
  })
}

export function useUnblock(bond: Bond): UserMutation<{ reason: string }> {
  return useUserMutation({
    mutate: ({ reason }) => sendUnblock(bond, reason),
    invalidates: bondKeys(bond),
    message: () => `${bond.user} is unblocked.`,
    createUndo() {
      const previous = bond.blocked
      return previous === null ? undefined : () => sendBlock(bond, previous)
    },
  })
}

interface Detected {
  readonly phase?: string
  readonly riskLevel?: string
}

export function useCorrect(bond: Bond): UserMutation<{ fields: Detected; reason: string }> {
  const correct = (fields: Detected, reason: string): Promise<Bond> =>
    send(bond, 'POST', 'correct', { ...fields, reason })
  return useUserMutation({
    mutate: ({ fields, reason }) => correct(fields, reason),
    invalidates: bondKeys(bond),
    message: () => 'Saved.',
    createUndo({ fields }) {
      const previous = {
        ...(fields.phase === undefined ? {} : { phase: bond.phase }),
        ...(fields.riskLevel === undefined ? {} : { riskLevel: bond.riskLevel }),
      }
      return () => correct(previous, UNDO_REASON)
    },
  })
}

export function useAddNote(bond: Bond): UserMutation<{ text: string }, Note> {
  return useUserMutation({
    mutate: ({ text }) => send(bond, 'POST', 'notes', { text }),
    invalidates: [...userKeys(bond, 'bond', 'events', 'notes')],
  })
}

export function useEvict(bond: Bond): UserMutation<{ reason: string }, unknown> {
  return useUserMutation({
    mutate: ({ reason }) => send(bond, 'POST', 'evict', { reason }),
    invalidates: [...userKeys(bond, 'bond', 'events'), ['runtimes']],
    message: () => 'Live clients close when they are no longer in use.',
  })
}

/** `onErased` also runs when the page of the user is closed before the response. */
export function useErase(bond: Bond, onErased: () => void): UserMutation<{ reason: string }, EraseReceipt> {
  return useUserMutation({
    mutate: ({ reason }) => send(bond, 'POST', 'erase', { reason }),
    invalidates: [['user', bond.user], ['users'], ['overview'], ['runtimes'], ['answers']],
    message({ erased }) {
      const records = Object.values(erased).reduce((sum, count) => sum + count, 0)
      return `${bond.user} was erased: ${pluralize(records, 'record')} deleted.`
    },
    onSuccess: onErased,
  })
}

/** Verifies the hash chain of the user's log and shows the result as a toast. */
export function useVerifyLog(user: string): UseMutationResult<Verification, Error, void> {
  return useMutation({
    mutationFn: () => fetchApi<Verification>(apiUrl(['users', user, 'verify'])),
    onSuccess: (verification) => showToast(verificationMessage(verification)),
    onError: (error) => showToast(`The event log could not be verified: ${error.message}`),
  })
}

type Undo = () => Promise<unknown>

type UserMutation<Variables, Data = Bond> = UseMutationResult<Data, Error, Variables, Undo | undefined>

interface UserMutationOptions<Variables, Data> {
  mutate(variables: Variables): Promise<Data>
  /** The queries whose data the mutation changes. */
  readonly invalidates: readonly QueryKey[]
  /** Text of the toast on success. Default: no toast. */
  message?(data: Data, variables: Variables): string
  /** Called before the mutation. Returns the request that restores the state of that moment: the toast's Undo button. */
  createUndo?(variables: Variables): Undo | undefined
  onSuccess?(): void
}

function useUserMutation<Variables, Data>(
  options: UserMutationOptions<Variables, Data>,
): UserMutation<Variables, Data> {
  const { mutate, invalidates, message, createUndo, onSuccess } = options
  const queryClient = useQueryClient()
  function invalidate(): void {
    for (const queryKey of invalidates) void queryClient.invalidateQueries({ queryKey })
  }
  return useMutation<Data, Error, Variables, Undo | undefined>({
    mutationFn: mutate,
    onMutate: (variables) => createUndo?.(variables),
    onSuccess(data, variables, undo) {
      invalidate()
      if (message !== undefined) showToast(message(data, variables), undo && (() => undo().finally(invalidate)))
      onSuccess?.()
    },
  })
}

/** Keys of some queries about one user. */
function userKeys({ user }: Bond, ...parts: readonly string[]): readonly QueryKey[] {
  return parts.map((part) => ['user', user, part])
}

/** What a change of the bond changes: the bond and its log, the list of users and the counts over all users. */
function bondKeys(bond: Bond): readonly QueryKey[] {
  return [...userKeys(bond, 'bond', 'events'), ['users'], ['overview']]
}

function sendBlock(bond: Bond, { reason, until }: { reason: string; until: string | null }): Promise<Bond> {
  return send(bond, 'PUT', 'block', until === null ? { reason } : { reason, until })
}

function sendUnblock(bond: Bond, reason: string): Promise<Bond> {
  return send(bond, 'DELETE', 'block', { reason })
}

function send<Answer>(
  { user }: Bond,
  method: 'POST' | 'PUT' | 'DELETE',
  part: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const { reason, ...others } = fields
  const body = reason === undefined || reason === '' ? others : fields
  return fetchApi(apiUrl(['users', user, part]), { method, body })
}
