import './select.css'
import { type ReactElement, useId } from 'react'
import type { FieldControl } from './field.tsx'

export interface SelectProps extends Partial<FieldControl> {
  readonly 'aria-label'?: string
  readonly options: readonly (readonly [value: string, name: string])[]
  readonly value: string
  /** Highlights a filter that is set. */
  readonly isActive?: boolean
  onChange(value: string): void
}

export function Select({ options, isActive, onChange, ...attributes }: SelectProps): ReactElement {
  return (
    <select
      {...attributes}
      className={isActive ? 'select select--active' : 'select'}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map(([value, name]) => (
        <option key={value} value={value}>
          {name}
        </option>
      ))}
    </select>
  )
}

/** A select with its label on the same line. */
export function LabeledSelect(props: { label: string; className?: string } & SelectProps): ReactElement {
  const { label, className, ...select } = props
  const id = useId()
  return (
    <div className={className === undefined ? 'labeled-select' : `labeled-select ${className}`}>
      <label htmlFor={id}>{label}</label>
      <Select id={id} aria-label={label} {...select} />
    </div>
  )
}
