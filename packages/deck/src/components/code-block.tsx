import './code-block.css'
import type { ReactElement } from 'react'
import { CopyButton } from './copy-button.tsx'
import { ScrollArea } from './scroll-area.tsx'

/** Preformatted text with a button that copies it; with a `label` it is a region of its own. */
export function CodeBlock(props: { text: string; label?: string; copyLabel: string }): ReactElement {
  const { text, label } = props
  const block = (
    <pre>
      <code>{text === '' ? '(empty)' : text}</code>
    </pre>
  )
  return (
    <div className="code-block">
      {label === undefined ? block : <ScrollArea label={label}>{block}</ScrollArea>}
      <CopyButton text={text} label={props.copyLabel} className="code-block__copy" />
    </div>
  )
}
