import './logo.css'
import type { ReactElement } from 'react'

export function Logo(): ReactElement {
  return (
    <svg className="logo" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="logo__sea" />
      <path d="M6 20.5h20" className="logo__line" strokeWidth="2" strokeLinecap="round" />
      <path d="M9.5 20.5a6.5 6.5 0 0 1 13 0z" className="logo__sun" />
      <path d="M9 25h14" className="logo__line logo__line--faint" strokeWidth="2" strokeLinecap="round" />
    </svg>
  )
}
