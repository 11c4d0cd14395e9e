import './bulk-dialog.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useRef, useState } from 'react'
import { callApi } from '../../api/client.ts'
import { plansQuery, userListParams } from '../../api/queries.ts'
import { now } from '../../browser/effects.ts'
import type { UserSearch } from '../../browser/location.ts'
import { Button } from '../../components/button.tsx'
import { FormDialog } from '../../components/dialog.tsx'
import { Field } from '../../components/field.tsx'
import { ProgressBar } from '../../components/progress-bar.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ReasonField } from '../../components/reason-field.tsx'
import { Select } from '../../components/select.tsx'
import { pluralize } from '../../format-number.ts'
import { showToast } from '../../layout/toasts.tsx'

/** Users that one action changes at most; with more the filter must be narrowed. */
const MAX_USERS = 10_000
const PAGE_SIZE = 1_000
const CONCURRENCY = 4
const SHOWN_IDS = 5
const DAY_MS = 86_400_000

const ACTIONS = [
  ['block', 'Block for a day'],
  ['unblock', 'Unblock'],
  ['cap', 'Change the daily cap'],
  ['plan', 'Assign a plan'],
  ['note', 'Add a note'],
  ['evict', 'Close live clients'],
] as const

type Action = (typeof ACTIONS)[number][0]

interface Change {
  readonly action: Action
  /** The cap, the plan or the note. */
  readonly value: string
  readonly reason: string
}

function applyChange(user: string, { action, value, reason }: Change): Promise<unknown> {
  const params = { id: user }
  switch (action) {
    case 'block': {
      const until = new Date(now() + DAY_MS).toISOString()
      return callApi('PUT /api/users/{id}/block', { params, body: { reason, until } })
    }
    case 'unblock':
      return callApi('DELETE /api/users/{id}/block', { params, body: { reason } })
    case 'cap':
      return callApi('PUT /api/users/{id}/cap', { params, body: { cap: value === '' ? null : Number(value), reason } })
    case 'plan':
      return callApi('PUT /api/users/{id}/plan', { params, body: { plan: value === '' ? null : value, reason } })
    case 'note':
      return callApi('POST /api/users/{id}/notes', { params, body: { text: value, reason } })
    case 'evict':
      return callApi('POST /api/users/{id}/evict', { params, body: { reason } })
  }
}

/** The ids of all users that match now: the list may change by the action itself. */
async function readIds(search: UserSearch, signal: AbortSignal): Promise<readonly string[]> {
  const ids: string[] = []
  const query = { ...userListParams(search), orderBy: 'id', order: 'asc', limit: PAGE_SIZE }
  for (let cursor: string | undefined; ; ) {
    const page = await callApi('GET /api/users', { query: { ...query, cursor }, signal })
    ids.push(...page.data.map(({ user }) => user))
    if (page.cursor === null || ids.length > MAX_USERS) return ids
    cursor = page.cursor
  }
}

/** The same change of every user that matches the filters: first the number of users and what will be done. */
export function BulkDialog({ search, close }: { search: UserSearch; close(): void }): ReactElement {
  const queryClient = useQueryClient()
  const ids = useQuery({
    queryKey: ['bulk', search],
    queryFn: ({ signal }) => readIds(search, signal),
    staleTime: 0,
    gcTime: 0,
  })
  const [action, setAction] = useState<Action>('block')
  const [value, setValue] = useState('')
  const [reason, setReason] = useState('')
  const [done, setDone] = useState(0)
  const isStopped = useRef(false)
  const users = ids.data ?? []
  const run = useMutation({
    mutationFn: (change: Change) =>
      changeAll(users, change, { isStopped: () => isStopped.current, onProgress: setDone }),
    onSuccess(failed) {
      void queryClient.invalidateQueries({ queryKey: ['users'] })
      void queryClient.invalidateQueries({ queryKey: ['overview'] })
      showToast(
        failed === 0 ? `${pluralize(users.length, 'user')} changed.` : `${pluralize(failed, 'user')} not changed.`,
      )
      close()
    },
  })
  function stop(): void {
    isStopped.current = true
    close()
  }
  const isTooMany = users.length > MAX_USERS
  return (
    <FormDialog
      title="Change all matching users"
      submitLabel={`Change ${pluralize(users.length, 'user')}`}
      isDangerous={action === 'block'}
      isComplete={users.length > 0 && !isTooMany && reason.trim() !== '' && isValid(action, value)}
      mutation={run}
      submit={() => run.mutate({ action, value: value.trim(), reason })}
      close={stop}
    >
      <QueryResult query={ids} name="matching users" lines={1}>
        {(matching) => <DryRun ids={matching} isTooMany={isTooMany} />}
      </QueryResult>
      <Field label="What to do">
        {(control) => (
          <Select
            {...control}
            value={action}
            options={ACTIONS}
            onChange={(next) => {
              setAction(next as Action)
              setValue('')
            }}
          />
        )}
      </Field>
      <ValueField action={action} value={value} setValue={setValue} />
      <ReasonField value={reason} onChange={setReason} isRequired />
      {run.isPending && (
        <div className="bulk__progress" role="status">
          <ProgressBar value={users.length === 0 ? 0 : done / users.length} />
          <span className="tabular-nums small">
            {done} of {users.length}
          </span>
          <Button size="small" onClick={stop}>
            Stop
          </Button>
        </div>
      )}
    </FormDialog>
  )
}

function DryRun({ ids, isTooMany }: { ids: readonly string[]; isTooMany: boolean }): ReactElement {
  if (ids.length === 0) return <p>No user matches the filters.</p>
  if (isTooMany) return <p>More than {pluralize(MAX_USERS, 'user')} match. Set further filters.</p>
  const rest = ids.length - SHOWN_IDS
  return (
    <p className="bulk__users">
      <strong>{pluralize(ids.length, 'user')}</strong> match: {ids.slice(0, SHOWN_IDS).join(', ')}
      {rest > 0 && ` and ${rest} more`}.
    </p>
  )
}

function ValueField(props: { action: Action; value: string; setValue(value: string): void }): ReactElement | null {
  const { action, value, setValue } = props
  const plans = useQuery(plansQuery).data?.data ?? []
  if (action === 'plan') {
    const options = [['', 'the default plan'] as const, ...plans.map(({ name }) => [name, name] as const)]
    return (
      <Field label="Plan">
        {(control) => <Select {...control} value={value} options={options} onChange={setValue} />}
      </Field>
    )
  }
  if (action !== 'cap' && action !== 'note') return null
  return (
    <Field label={action === 'cap' ? 'Messages per day, empty for the default' : 'Note'}>
      {(control) => (
        <input
          {...control}
          value={value}
          inputMode={action === 'cap' ? 'numeric' : 'text'}
          autoComplete="off"
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

function isValid(action: Action, value: string): boolean {
  if (action === 'cap') return /^\d{0,12}$/.test(value.trim())
  return action !== 'note' || value.trim() !== ''
}

/** Changes the users one after the other, a few at a time. Resolves to the number that could not be changed. */
async function changeAll(
  users: readonly string[],
  change: Change,
  { isStopped, onProgress }: { isStopped(): boolean; onProgress(done: number): void },
): Promise<number> {
  const queue = users.values()
  let [done, failed] = [0, 0]
  async function work(): Promise<void> {
    for (const user of queue) {
      if (isStopped()) return
      await applyChange(user, change).catch(() => {
        failed += 1
      })
      done += 1
      onProgress(done)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  return failed
}
