import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { callApi } from '../../api/client.ts'
import { keysQuery } from '../../api/queries.ts'
import type { ApiKey, NewApiKey } from '../../api/wire.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { FormDialog } from '../../components/dialog.tsx'
import { Field } from '../../components/field.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { Select } from '../../components/select.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { showToast } from '../../layout/toasts.tsx'
import { SecretDialog } from './secret-dialog.tsx'

const COLUMNS = [
  { name: 'Name' },
  { name: 'Role' },
  { name: 'User' },
  { name: 'Created' },
  { name: 'By' },
  { name: '' },
]

const ROLES = [
  ['viewer', 'viewer: reads'],
  ['operator', 'operator: limits, blocks, notes, export'],
  ['admin', 'admin: everything, also erasing and keys'],
  ['service', 'service: an application, for all users'],
  ['user', 'user: one user only'],
] as const

/** The API keys by role: creating one, which shows its secret once, and revoking. */
export function KeysCard(): ReactElement {
  const keys = useQuery(keysQuery)
  const [isCreating, setIsCreating] = useState(false)
  const [created, setCreated] = useState<NewApiKey | null>(null)
  const [revoking, setRevoking] = useState<ApiKey | null>(null)
  return (
    <Card title="Keys" id="keys" aside={<Button onClick={() => setIsCreating(true)}>Create a key</Button>}>
      <QueryResult query={keys} name="keys">
        {({ data }) => (
          <div className="keys">
            <ScrollArea label="Keys">
              <DataTable label="Keys" columns={COLUMNS}>
                {data.map((key) => (
                  <KeyRow key={key.id} apiKey={key} revoke={() => setRevoking(key)} />
                ))}
              </DataTable>
            </ScrollArea>
          </div>
        )}
      </QueryResult>
      {isCreating && (
        <CreateKeyDialog
          close={() => setIsCreating(false)}
          show={(key) => {
            setIsCreating(false)
            setCreated(key)
          }}
        />
      )}
      {created !== null && (
        <SecretDialog
          id="new-key"
          title={`The key ${created.name}`}
          lead="Copy it now: it is not stored and cannot be shown again."
          secret={created.key}
          copyLabel="Copy the key"
          close={() => setCreated(null)}
        />
      )}
      {revoking !== null && <RevokeKeyDialog apiKey={revoking} close={() => setRevoking(null)} />}
    </Card>
  )
}

function KeyRow({ apiKey, revoke }: { apiKey: ApiKey; revoke(): void }): ReactElement {
  const { name, role, user, createdAt, createdBy } = apiKey
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{role}</td>
      <td>{user ?? <span className="muted">–</span>}</td>
      <td>
        <RelativeTime at={createdAt} />
      </td>
      <td className="muted">{createdBy}</td>
      <td className="data-table__number">
        {createdBy === 'environment' ? (
          <span className="muted small">set in the environment</span>
        ) : (
          <Button size="small" onClick={revoke} aria-label={`Revoke ${name}`}>
            Revoke
          </Button>
        )}
      </td>
    </tr>
  )
}

function CreateKeyDialog({ close, show }: { close(): void; show(key: NewApiKey): void }): ReactElement {
  const queryClient = useQueryClient()
  const [role, setRole] = useState<string>('viewer')
  const [name, setName] = useState('')
  const [user, setUser] = useState('')
  const create = useMutation({
    mutationFn: () =>
      callApi('POST /api/keys', {
        body: { role, name: name.trim(), ...(role === 'user' ? { user: user.trim() } : {}) },
      }),
    onSuccess(key) {
      void queryClient.invalidateQueries({ queryKey: keysQuery.queryKey })
      show(key)
    },
  })
  return (
    <FormDialog
      title="Create a key"
      lead="Give each person and each application a key of their own: its name is recorded with everything it changes."
      submitLabel="Create"
      isComplete={name.trim() !== '' && (role !== 'user' || user.trim() !== '')}
      mutation={create}
      submit={() => create.mutate()}
      close={close}
    >
      <Field label="Name">
        {(control) => (
          <input
            {...control}
            value={name}
            maxLength={100}
            autoComplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Role">{(control) => <Select {...control} value={role} options={ROLES} onChange={setRole} />}</Field>
      {role === 'user' && (
        <Field label="User">
          {(control) => (
            <input
              {...control}
              value={user}
              autoComplete="off"
              onInput={(event) => setUser(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
    </FormDialog>
  )
}

function RevokeKeyDialog({ apiKey, close }: { apiKey: ApiKey; close(): void }): ReactElement {
  const queryClient = useQueryClient()
  const revoke = useMutation({
    mutationFn: () => callApi('DELETE /api/keys/{key}', { params: { key: apiKey.id } }),
    onSuccess() {
      void queryClient.invalidateQueries({ queryKey: keysQuery.queryKey })
      showToast(`The key ${apiKey.name} is revoked.`)
      close()
    },
  })
  return (
    <FormDialog
      title={`Revoke ${apiKey.name}?`}
      lead="Requests with this key are refused at once, and sessions that were opened with it end. This cannot be undone."
      submitLabel="Revoke"
      isDangerous
      mutation={revoke}
      submit={() => revoke.mutate()}
      close={close}
    />
  )
}
