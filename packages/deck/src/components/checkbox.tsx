import './checkbox.css'
import type { ReactElement } from 'react'

/** A labeled checkbox; `boxed` looks like the other controls of a toolbar. */
export function Checkbox(props: {
  label: string
  checked: boolean
  onChange(checked: boolean): void
  boxed?: boolean
}): ReactElement {
  return (
    <label className={props.boxed ? 'checkbox checkbox--boxed' : 'checkbox'}>
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      {props.label}
    </label>
  )
}
