import './description-list.css'
import type { ReactElement, ReactNode } from 'react'

/** Names and values, one pair a row; `grid` puts the name above its value, several pairs a row. */
export function DescriptionList(props: { variant?: 'grid' | 'small'; children: ReactNode }): ReactElement {
  const { variant } = props
  return (
    <dl className={variant === undefined ? 'description-list' : `description-list description-list--${variant}`}>
      {props.children}
    </dl>
  )
}

/** One name and its value in a `DescriptionList`. */
export function DescriptionItem({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div className="description-list__item">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
