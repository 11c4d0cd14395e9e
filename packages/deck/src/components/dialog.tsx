import { type FormEvent, type ReactElement, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { Failure } from './states.tsx'

export interface DialogProps {
  readonly title: string
  /** What will happen, in a sentence or two. */
  readonly lead?: ReactNode
  readonly confirm: string
  readonly dangerous?: boolean
  /** False keeps the confirming button off. */
  readonly ready?: boolean
  /** Runs on confirmation; the dialog closes when it has resolved and shows what it rejected with otherwise. */
  act(): Promise<unknown>
  close(): void
  readonly children?: ReactNode
}

/** A question with an answer: the browser's own modal dialog, which keeps the focus, closes on Escape and gives it back. */
export function Dialog(props: DialogProps): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    const shown = dialog.current
    const before = document.activeElement
    shown?.showModal()
    return () => {
      shown?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    if (busy || props.ready === false) return
    setBusy(true)
    setError(undefined)
    try {
      await props.act()
      props.close()
    } catch (problem) {
      setError(problem)
      setBusy(false)
    }
  }

  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby={title}
      onCancel={(event) => {
        event.preventDefault()
        props.close()
      }}
    >
      <form onSubmit={submit}>
        <h2 id={title}>{props.title}</h2>
        {props.lead !== undefined && <p className="dialog-lead">{props.lead}</p>}
        {props.children}
        {error !== undefined && <Failure error={error} />}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={props.close}>
            Cancel
          </button>
          <button
            type="submit"
            className={props.dangerous ? 'button danger' : 'button primary'}
            disabled={props.ready === false || busy}
          >
            {busy ? 'One moment…' : props.confirm}
          </button>
        </div>
      </form>
    </dialog>
  )
}

/** The reason that goes into the log with an action. */
export function ReasonField(props: { value: string; onChange(value: string): void; required?: boolean }): ReactElement {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>Reason {props.required ? '' : <span className="quiet">(optional)</span>}</label>
      <textarea
        id={id}
        rows={2}
        maxLength={500}
        required={props.required ?? false}
        value={props.value}
        onInput={(event) => props.onChange(event.currentTarget.value)}
        aria-describedby={`${id}-hint`}
      />
      <p className="hint" id={`${id}-hint`}>
        Stands in the user’s log beside your name.
      </p>
    </div>
  )
}
