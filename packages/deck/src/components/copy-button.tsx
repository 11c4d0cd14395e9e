import { type ReactElement, useState } from 'react'
import { setTimer } from '../browser/effects.ts'
import { Button } from './button.tsx'
import { announce } from './live-region.tsx'

const CONFIRMATION_MS = 1_500

/** Copies a text to the clipboard. Not rendered without a secure origin, where the browser offers no clipboard. */
export function CopyButton(props: { text: string; label: string; className?: string }): ReactElement | null {
  const [isCopied, setIsCopied] = useState(false)
  if (navigator.clipboard === undefined) return null
  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(props.text)
    setIsCopied(true)
    announce('Copied.')
    setTimer(() => setIsCopied(false), CONFIRMATION_MS)
  }
  return (
    <Button size="small" className={props.className} onClick={() => void copy()} aria-label={props.label}>
      {isCopied ? 'Copied' : 'Copy'}
    </Button>
  )
}
