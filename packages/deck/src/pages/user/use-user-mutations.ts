import { type QueryKey, type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query'
import { callApi } from '../../api/client.ts'
import type { Bond, EraseReceipt, LimitState, Note, Verification } from '../../api/wire.ts'
import { formatAmount, formatInteger, pluralize } from '../../format-number.ts'
import { showToast } from '../../layout/toasts.tsx'
import { verificationMessage } from './verification-message.ts'

/* One hook for each thing that an operator can do to a user. An empty reason is not sent. */

/** `reason` of the requests that undo another one. */
const UNDO_REASON = 'Undone by operator'

export function useSetCap(bond: Bond): UserMutation<{ cap: number | null; reason: string }> {
  const setCap = (cap: number | null, reason: string): Promise<Bond> =>
    callApi('PUT /api/users/{id}/cap', { ...paramsOf(bond), body: { cap, ...withReason(reason) } })
  return useUserMutation({
    mutate: ({ cap, reason }) => setCap(cap, reason),
    invalidates: bondKeys(bond, 'limits'),
    message: (_, { cap }) =>
      `Cap set to ${cap === null ? 'the default' : cap === 0 ? 'unlimited' : `${formatInteger(cap)} per day`}.`,
    createUndo() {
      const previous = bond.capOrigin === 'user' ? bond.dailyCap : null
      return () => setCap(previous, UNDO_REASON)
    },
  })
}

/** `max` of 'default': as configured. */
export interface LimitChange {
  readonly max: number | string | null
  readonly until: string | null
  readonly reason: string
}

export function useSetLimit(bond: Bond, limit: LimitState): UserMutation<LimitChange, LimitState> {
  const params = { id: bond.user, name: limit.name }
  function setLimit({ max, until, reason }: LimitChange): Promise<LimitState> {
    const body = withReason(reason)
    if (max === 'default') return callApi('DELETE /api/users/{id}/limits/{name}', { params, body })
    const end = until === null ? {} : { until }
    return callApi('PUT /api/users/{id}/limits/{name}', { params, body: { max, ...end, ...body } })
  }
  return useUserMutation({
    mutate: setLimit,
    invalidates: bondKeys(bond, 'limits'),
    message: (_, { max }) =>
      `${limit.name} is ${max === 'default' ? 'as configured' : max === null ? 'unlimited' : formatAmount(max)}.`,
    createUndo() {
      const { max, until, origin } = limit
      return () => setLimit({ max: origin === 'user' ? max : 'default', until, reason: UNDO_REASON })
    },
  })
}

/** What was used before cannot be restored, so there is no undo. */
export function useResetLimit(bond: Bond, limit: LimitState): UserMutation<{ reason: string }, LimitState> {
  return useUserMutation({
    mutate: ({ reason }) =>
      callApi('DELETE /api/users/{id}/limits/{name}/usage', {
        params: { id: bond.user, name: limit.name },
        body: { reason },
      }),
    invalidates: bondKeys(bond, 'limits'),
    message: () => `The use of ${limit.name} is 0 again.`,
  })
}

export function useSetPlan(bond: Bond): UserMutation<{ plan: string | null; reason: string }> {
  const setPlan = (plan: string | null, reason: string): Promise<Bond> =>
    callApi('PUT /api/users/{id}/plan', { ...paramsOf(bond), body: { plan, ...withReason(reason) } })
  return useUserMutation({
    mutate: ({ plan, reason }) => setPlan(plan, reason),
    invalidates: bondKeys(bond, 'limits', 'runtime'),
    message: (_, { plan }) => (plan === null ? 'The default plan applies.' : `The plan is ${plan}.`),
    createUndo() {
      const previous = bond.planOrigin === 'user' ? bond.plan : null
      return () => setPlan(previous, UNDO_REASON)
    },
  })
}

export function useSetTimeZone(bond: Bond): UserMutation<{ timeZone: string | null; reason: string }> {
  const setTimeZone = (timeZone: string | null, reason: string): Promise<Bond> =>
    callApi('PUT /api/users/{id}/timezone', { ...paramsOf(bond), body: { timeZone, ...withReason(reason) } })
  return useUserMutation({
    mutate: ({ timeZone, reason }) => setTimeZone(timeZone, reason),
    invalidates: bondKeys(bond, 'limits'),
    message: (data) => `The time zone is ${data.timeZone} from the user’s next day on.`,
    createUndo() {
      const previous = bond.timeZone
      return () => setTimeZone(previous, UNDO_REASON)
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
    callApi('POST /api/users/{id}/correct', { ...paramsOf(bond), body: { ...fields, reason } })
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
    mutate: ({ text }) => callApi('POST /api/users/{id}/notes', { ...paramsOf(bond), body: { text } }),
    invalidates: userKeys(bond, 'bond', 'events', 'notes'),
  })
}

export function useEvict(bond: Bond): UserMutation<{ reason: string }, unknown> {
  return useUserMutation({
    mutate: ({ reason }) => callApi('POST /api/users/{id}/evict', { ...paramsOf(bond), body: withReason(reason) }),
    invalidates: [...userKeys(bond, 'bond', 'events'), ['runtimes']],
    message: () => 'Live clients close when they are no longer in use.',
  })
}

/** Loads everything again at the next turn. */
export function useInvalidateContext(bond: Bond): UserMutation<void, unknown> {
  return useUserMutation({
    mutate: () => callApi('DELETE /api/users/{id}/context', paramsOf(bond)),
    invalidates: userKeys(bond, 'context', 'events'),
    message: () => 'The loaded context was dropped.',
  })
}

export function useForgetAnswers(bond: Bond): UserMutation<void, unknown> {
  return useUserMutation({
    mutate: () => callApi('DELETE /api/users/{id}/answers', paramsOf(bond)),
    invalidates: [...userKeys(bond, 'events', 'answers'), ['answers']],
    message: (count) => `${pluralize(Number(count), 'cached answer')} deleted.`,
  })
}

export function useEndSession(bond: Bond): UserMutation<{ session: string }, unknown> {
  return useUserMutation({
    mutate: ({ session }) =>
      callApi('DELETE /api/users/{id}/sessions/{session}', { params: { id: bond.user, session } }),
    invalidates: userKeys(bond, 'sessions', 'events'),
    message: (_, { session }) => `The session ${session} has ended.`,
  })
}

/** `onErased` also runs when the page of the user is closed before the response. */
export function useErase(bond: Bond, onErased: () => void): UserMutation<{ reason: string }, EraseReceipt> {
  return useUserMutation({
    mutate: ({ reason }) => callApi('POST /api/users/{id}/erase', { ...paramsOf(bond), body: { reason } }),
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
    mutationFn: () => callApi('GET /api/users/{id}/verify', { params: { id: user } }),
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

/** What a change of the bond changes: the bond and its log, the list of users, the counts over all users, and more. */
function bondKeys(bond: Bond, ...parts: readonly string[]): readonly QueryKey[] {
  return [...userKeys(bond, 'bond', 'events', ...parts), ['users'], ['overview']]
}

function paramsOf({ user }: Bond): { readonly params: { readonly id: string } } {
  return { params: { id: user } }
}

function withReason(reason: string): { readonly reason?: string } {
  return reason === '' ? {} : { reason }
}

function sendBlock(bond: Bond, { reason, until }: { reason: string; until: string | null }): Promise<Bond> {
  const body = until === null ? { reason } : { reason, until }
  return callApi('PUT /api/users/{id}/block', { ...paramsOf(bond), body })
}

function sendUnblock(bond: Bond, reason: string): Promise<Bond> {
  return callApi('DELETE /api/users/{id}/block', { ...paramsOf(bond), body: withReason(reason) })
}
