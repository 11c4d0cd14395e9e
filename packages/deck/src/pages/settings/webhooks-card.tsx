import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { callApi } from '../../api/client.ts'
import { webhooksQuery } from '../../api/queries.ts'
import type { NewWebhook, WebhookStatus } from '../../api/wire.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { FormDialog } from '../../components/dialog.tsx'
import { Field } from '../../components/field.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { WebhookState } from '../../components/webhook-state.tsx'
import { showToast } from '../../layout/toasts.tsx'
import { SecretDialog } from './secret-dialog.tsx'

const COLUMNS = [{ name: 'Address' }, { name: 'Events' }, { name: 'State' }, { name: '' }] as const

/** The webhooks: creating one, which shows its secret once, testing, switching off and deleting. */
export function WebhooksCard(): ReactElement {
  const webhooks = useQuery(webhooksQuery)
  const [isCreating, setIsCreating] = useState(false)
  const [created, setCreated] = useState<NewWebhook | null>(null)
  const [deleting, setDeleting] = useState<WebhookStatus | null>(null)
  return (
    <Card title="Webhooks" id="webhooks" aside={<Button onClick={() => setIsCreating(true)}>Create a webhook</Button>}>
      <QueryResult query={webhooks} name="webhooks" lines={2}>
        {({ data }) =>
          data.length === 0 ? (
            <p className="muted">A webhook sends events to an address of yours as they happen.</p>
          ) : (
            <div className="webhooks">
              <ScrollArea label="Webhooks">
                <DataTable label="Webhooks" columns={COLUMNS}>
                  {data.map((webhook) => (
                    <WebhookRow key={webhook.id} webhook={webhook} remove={() => setDeleting(webhook)} />
                  ))}
                </DataTable>
              </ScrollArea>
            </div>
          )
        }
      </QueryResult>
      {isCreating && (
        <CreateWebhookDialog
          close={() => setIsCreating(false)}
          show={(webhook) => {
            setIsCreating(false)
            setCreated(webhook)
          }}
        />
      )}
      {created !== null && (
        <SecretDialog
          id="new-webhook"
          title="The secret of the webhook"
          lead="The receiver verifies signatures with it. Copy it now: it cannot be shown again."
          secret={created.secret}
          copyLabel="Copy the secret"
          close={() => setCreated(null)}
        />
      )}
      {deleting !== null && <DeleteWebhookDialog webhook={deleting} close={() => setDeleting(null)} />}
    </Card>
  )
}

function WebhookRow({ webhook, remove }: { webhook: WebhookStatus; remove(): void }): ReactElement {
  const { id, url, types, enabled, lastError } = webhook
  const queryClient = useQueryClient()
  const reload = (): void => void queryClient.invalidateQueries({ queryKey: webhooksQuery.queryKey })
  const test = useMutation({
    mutationFn: () => callApi('POST /api/webhooks/{webhook}/test', { params: { webhook: id } }),
    onSuccess: ({ ok, status, error }) =>
      showToast(
        ok ? `${url} answered with ${status ?? 'success'}.` : `${url} did not take the test: ${error ?? status}`,
      ),
    onError: (error) => showToast(`The test failed: ${error.message}`),
    onSettled: reload,
  })
  const change = useMutation({
    mutationFn: () =>
      callApi('PATCH /api/webhooks/{webhook}', { params: { webhook: id }, body: { enabled: !enabled } }),
    onError: (error) => showToast(`The webhook was not changed: ${error.message}`),
    onSettled: reload,
  })
  return (
    <tr>
      <th scope="row" className="webhook__address">
        {url}
        {lastError !== null && <p className="muted small webhook__error">{lastError}</p>}
      </th>
      <td>{types === null ? 'all' : types.join(', ')}</td>
      <td>
        <WebhookState webhook={webhook} />
      </td>
      <td>
        <span className="webhook__actions">
          <Button size="small" onClick={() => test.mutate()} disabled={test.isPending} aria-label={`Test ${url}`}>
            {test.isPending ? 'Testing…' : 'Test'}
          </Button>
          <Button
            size="small"
            onClick={() => change.mutate()}
            disabled={change.isPending}
            aria-label={`Switch ${enabled ? 'off' : 'on'} ${url}`}
          >
            {enabled ? 'Switch off' : 'Switch on'}
          </Button>
          <Button size="small" onClick={remove} aria-label={`Delete ${url}`}>
            Delete
          </Button>
        </span>
      </td>
    </tr>
  )
}

function CreateWebhookDialog({ close, show }: { close(): void; show(webhook: NewWebhook): void }): ReactElement {
  const queryClient = useQueryClient()
  const [url, setUrl] = useState('')
  const [types, setTypes] = useState('')
  const names = types.split(/[\s,]+/).filter((name) => name !== '')
  const create = useMutation({
    mutationFn: () =>
      callApi('POST /api/webhooks', { body: { url: url.trim(), ...(names.length === 0 ? {} : { types: names }) } }),
    onSuccess(webhook) {
      void queryClient.invalidateQueries({ queryKey: webhooksQuery.queryKey })
      show(webhook)
    },
  })
  return (
    <FormDialog
      title="Create a webhook"
      lead="Events from now on are sent to this address, signed with a secret that is shown once."
      submitLabel="Create"
      isComplete={url.trim() !== ''}
      mutation={create}
      submit={() => create.mutate()}
      close={close}
    >
      <Field label="Address" hint="Begins with https://">
        {(control) => (
          <input
            {...control}
            type="url"
            value={url}
            autoComplete="off"
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Types of events" hint="Separated by commas, such as risk_change, limit_reached. Empty: all types.">
        {(control) => (
          <input
            {...control}
            value={types}
            autoComplete="off"
            onInput={(event) => setTypes(event.currentTarget.value)}
          />
        )}
      </Field>
    </FormDialog>
  )
}

function DeleteWebhookDialog({ webhook, close }: { webhook: WebhookStatus; close(): void }): ReactElement {
  const queryClient = useQueryClient()
  const remove = useMutation({
    mutationFn: () => callApi('DELETE /api/webhooks/{webhook}', { params: { webhook: webhook.id } }),
    onSuccess() {
      void queryClient.invalidateQueries({ queryKey: webhooksQuery.queryKey })
      showToast('The webhook is deleted.')
      close()
    },
  })
  return (
    <FormDialog
      title="Delete this webhook?"
      lead={`What waits for ${webhook.url} is not sent any more. This cannot be undone.`}
      submitLabel="Delete"
      isDangerous
      mutation={remove}
      submit={() => remove.mutate()}
      close={close}
    />
  )
}
