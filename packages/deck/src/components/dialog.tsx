import './dialog.css'
import { type FormEvent, type ReactElement, type ReactNode, useEffect, useId, useRef } from 'react'
import { Button } from './button.tsx'
import { ErrorMessage } from './error-message.tsx'

export interface DialogProps {
  /** Id of the heading, or a label where there is none. */
  readonly labelledBy?: string
  readonly label?: string
  readonly className?: string
  /** Whether a click on the backdrop closes the dialog. */
  readonly closesOnBackdrop?: boolean
  close(): void
  readonly children: ReactNode
}

/** A modal `<dialog>` that is open while it is mounted. The browser keeps the focus inside; Escape calls `close`. */
export function Dialog(props: DialogProps): ReactElement {
  const ref = useRef<HTMLDialogElement>(null)

  useEffect(() => {
    const dialog = ref.current
    const focused = document.activeElement
    dialog?.showModal()
    return () => {
      dialog?.close()
      if (focused instanceof HTMLElement && focused.isConnected) focused.focus()
    }
  }, [])

  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes the dialog from the keyboard
    <dialog
      ref={ref}
      className={props.className === undefined ? 'dialog' : `dialog ${props.className}`}
      aria-label={props.label}
      aria-labelledby={props.labelledBy}
      onCancel={(event) => {
        event.preventDefault()
        props.close()
      }}
      // A browser may close a dialog without `cancel`: at an Escape that follows another one.
      onClose={() => ref.current !== null && props.close()}
      // A click on the backdrop has the dialog itself as its target.
      onClick={(event) => props.closesOnBackdrop && event.target === ref.current && props.close()}
    >
      {props.children}
    </dialog>
  )
}

export interface FormDialogProps {
  readonly title: string
  /** One or two sentences about what will happen. */
  readonly lead?: ReactNode
  /** Label of the submit button. */
  readonly submitLabel: string
  readonly isDangerous?: boolean
  /** Whether the form is complete; otherwise the submit button is disabled. Default: true. */
  readonly isComplete?: boolean
  /** The state of the request that `submit` starts: the button is disabled while it is pending, its error is shown. */
  readonly mutation: { readonly isPending: boolean; readonly error: unknown }
  submit(): void
  close(): void
  readonly children?: ReactNode
}

/** A dialog with a form. The caller closes it when its request has succeeded. */
export function FormDialog(props: FormDialogProps): ReactElement {
  const titleId = useId()
  const { isPending, error } = props.mutation
  const canSubmit = props.isComplete !== false && !isPending

  function onSubmit(event: FormEvent): void {
    event.preventDefault()
    if (canSubmit) props.submit()
  }

  return (
    <Dialog labelledBy={titleId} close={props.close}>
      <form onSubmit={onSubmit} className="dialog__content">
        <h2 id={titleId}>{props.title}</h2>
        {props.lead !== undefined && <p className="dialog__lead">{props.lead}</p>}
        {props.children}
        {error !== null && <ErrorMessage error={error} />}
        <div className="dialog__actions">
          <Button onClick={props.close}>Cancel</Button>
          <Button type="submit" variant={props.isDangerous ? 'danger' : 'primary'} disabled={!canSubmit}>
            {isPending ? 'Please wait…' : props.submitLabel}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
