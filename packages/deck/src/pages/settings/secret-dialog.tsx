import type { ReactElement } from 'react'
import { Button } from '../../components/button.tsx'
import { CodeBlock } from '../../components/code-block.tsx'
import { Dialog } from '../../components/dialog.tsx'

export interface SecretDialogProps {
  /** Id of the heading. */
  readonly id: string
  readonly title: string
  readonly lead: string
  readonly secret: string
  readonly copyLabel: string
  close(): void
}

/** Shows a secret the only time that it is shown. */
export function SecretDialog({ id, title, lead, secret, copyLabel, close }: SecretDialogProps): ReactElement {
  return (
    <Dialog labelledBy={id} close={close}>
      <div className="dialog__content">
        <h2 id={id}>{title}</h2>
        <p className="dialog__lead">{lead}</p>
        <CodeBlock text={secret} copyLabel={copyLabel} />
        <div className="dialog__actions">
          <Button variant="primary" onClick={close}>
            Done
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
