import { type ReactElement, type RefObject, useEffect, useRef, useState } from 'react'
import { setTimer } from '../browser/effects.ts'

const TYPING_DELAY_MS = 200

/** A search field whose value is reported 200 ms after the last letter. */
export function DelayedInput(props: {
  label: string
  placeholder: string
  value: string
  className?: string
  inputRef?: RefObject<HTMLInputElement | null>
  onChange(value: string): void
}): ReactElement {
  const [text, setText] = useState(props.value)
  const cancelTimer = useRef<() => void>(undefined)
  useEffect(() => setText(props.value), [props.value])
  useEffect(() => () => cancelTimer.current?.(), [])
  return (
    <input
      ref={props.inputRef ?? null}
      className={props.className}
      type="search"
      aria-label={props.label}
      placeholder={props.placeholder}
      value={text}
      autoComplete="off"
      spellCheck="false"
      onInput={(event) => {
        const next = event.currentTarget.value
        setText(next)
        cancelTimer.current?.()
        cancelTimer.current = setTimer(() => props.onChange(next), TYPING_DELAY_MS)
      }}
    />
  )
}
