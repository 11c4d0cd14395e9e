import './field.css'
import { type ReactElement, type ReactNode, useId } from 'react'

/** Attributes that connect a form control to its label and hint. */
export interface FieldControl {
  readonly id: string
  readonly 'aria-describedby'?: string
}

/** A form control below its label, with an optional hint. */
export function Field(props: {
  label: ReactNode
  hint?: string
  children(control: FieldControl): ReactElement
}): ReactElement {
  const id = useId()
  const hintId = `${id}-hint`
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      {props.children(props.hint === undefined ? { id } : { id, 'aria-describedby': hintId })}
      {props.hint !== undefined && (
        <p className="field__hint" id={hintId}>
          {props.hint}
        </p>
      )}
    </div>
  )
}
