import { type ReactElement, useState } from 'react'
import { after } from '../browser/effects.ts'
import { announce } from './announce.tsx'

/** Copies a text; without a secure origin the browser offers no clipboard, and the button stays away. */
export function Copy({ text, label }: { text: string; label: string }): ReactElement | null {
  const [done, setDone] = useState(false)
  if (navigator.clipboard === undefined) return null
  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(text)
    setDone(true)
    announce('Copied.')
    after(1_500, () => setDone(false))
  }
  return (
    <button type="button" className="button tiny" onClick={() => void copy()} aria-label={label}>
      {done ? 'Copied' : 'Copy'}
    </button>
  )
}
