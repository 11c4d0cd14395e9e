import type { ReactElement } from 'react'
import type { WebhookStatus } from '../api/wire.ts'
import { formatInteger } from '../format-number.ts'
import { Badge } from './badge.tsx'

/** Whether a webhook delivers, and what waits for it. */
export function WebhookState({ webhook }: { webhook: WebhookStatus }): ReactElement {
  const { enabled, isFailing, pending, dead } = webhook
  const counts = [
    ...(pending > 0 ? [`${formatInteger(pending)} waiting`] : []),
    ...(dead > 0 ? [`${formatInteger(dead)} given up`] : []),
  ]
  return (
    <>
      <Badge
        tone={isFailing && enabled ? 'warning' : 'neutral'}
        text={!enabled ? 'switched off' : isFailing ? 'failing' : 'delivers'}
      />
      {counts.length > 0 && <span className="muted small"> {counts.join(', ')}</span>}
    </>
  )
}
