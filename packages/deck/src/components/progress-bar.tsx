import './progress-bar.css'
import type { ReactElement } from 'react'

/** Color of a bar; `unlimited` is a dotted line without a fill. */
export type ProgressLevel = 'normal' | 'near' | 'full' | 'unlimited'

/** A bar filled to `value`, 0 to 1. Hidden from assistive technology: the same figure is always beside it as text. */
export function ProgressBar(props: { value: number; level?: ProgressLevel; size?: 'large' }): ReactElement {
  return (
    <span
      className={props.size === 'large' ? 'progress-bar progress-bar--large' : 'progress-bar'}
      data-level={props.level}
      aria-hidden="true"
    >
      <span className="progress-bar__fill" style={{ '--fill': String(props.value) } as Record<string, string>} />
    </span>
  )
}
