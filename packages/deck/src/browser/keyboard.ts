import { useEffect, useRef } from 'react'
import { singleKeysAct } from './preferences.ts'

/**
 * Single keys that act anywhere on a page: never while somebody types, never with a modifier, never while a dialog is
 * open, and not at all when the reader has switched them off (WCAG 2.1.4).
 */
export function useKeys(keys: Readonly<Record<string, () => void>>): void {
  const latest = useRef(keys)
  latest.current = keys
  useEffect(() => {
    function onKey(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
      if (!singleKeysAct() || isTyping(event.target) || document.querySelector('dialog[open]') !== null) return
      const act = latest.current[event.key]
      if (act === undefined) return
      event.preventDefault()
      act()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}

/** How the key beside the letter is called on this machine. */
export const COMMAND: string = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl'

/** A letter with the command key, which acts also while somebody types. */
export function useCommandKey(letter: string, act: () => void): void {
  const latest = useRef(act)
  latest.current = act
  useEffect(() => {
    function onKey(event: KeyboardEvent): void {
      if (!(event.metaKey || event.ctrlKey) || event.altKey || event.key.toLowerCase() !== letter) return
      event.preventDefault()
      latest.current()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [letter])
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** Moves the focus among the elements that match, by one, from the one that has it; without one to the first. */
export function stepFocus(container: HTMLElement | null, selector: string, by: 1 | -1): void {
  const stops = [...(container?.querySelectorAll<HTMLElement>(selector) ?? [])]
  const present = stops.findIndex((stop) => stop.matches(':focus'))
  const next = stops[present < 0 ? 0 : Math.min(stops.length - 1, Math.max(0, present + by))]
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}
