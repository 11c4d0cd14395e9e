import type { ReactElement } from 'react'
import { Field } from './field.tsx'

/** The reason that is recorded in the event log with an action. */
export function ReasonField(props: {
  value: string
  onChange(value: string): void
  isRequired?: boolean
}): ReactElement {
  return (
    <Field
      label={<>Reason {!props.isRequired && <span className="muted">(optional)</span>}</>}
      hint="Recorded in the user’s event log with the name of your key."
    >
      {(control) => (
        <textarea
          {...control}
          rows={2}
          maxLength={500}
          required={props.isRequired ?? false}
          value={props.value}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}
