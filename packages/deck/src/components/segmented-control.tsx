import './segmented-control.css'
import { type ReactElement, useId } from 'react'

/** Radio buttons that look like one control. `stretched` fills the line and shows the legend above. */
export function SegmentedControl<Value extends string>(props: {
  legend: string
  variant: 'small' | 'stretched'
  options: readonly (readonly [value: Value, label: string])[]
  value: Value
  onChange(value: Value): void
}): ReactElement {
  const name = useId()
  const { variant } = props
  return (
    <fieldset className={`segmented-control segmented-control--${variant}`}>
      <legend className={variant === 'small' ? 'sr-only' : 'segmented-control__legend'}>{props.legend}</legend>
      <div className="segmented-control__options">
        {props.options.map(([value, label]) => (
          <label key={value}>
            <input type="radio" name={name} checked={props.value === value} onChange={() => props.onChange(value)} />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
