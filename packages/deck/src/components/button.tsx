import './button.css'
import type { ButtonHTMLAttributes, ReactElement } from 'react'

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary`: the main action of a form. `danger`: an action that cannot be undone. */
  readonly variant?: 'primary' | 'danger' | 'subtle' | undefined
  readonly size?: 'small' | 'full' | undefined
}

export function Button({ variant, size, className, type = 'button', ...attributes }: ButtonProps): ReactElement {
  const modifiers = [variant, size].map((modifier) => modifier && `button--${modifier}`)
  return (
    <button type={type} className={['button', ...modifiers, className].filter(Boolean).join(' ')} {...attributes} />
  )
}
