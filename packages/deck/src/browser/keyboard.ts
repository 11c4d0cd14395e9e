import { useLayoutEffect, useRef } from 'react'
import { areSingleKeysEnabled } from './preferences.ts'

/**
 * Registers single-key shortcuts for the whole page. They are ignored while the focus is in a text field, with a
 * modifier key, while a dialog is open, and when they are turned off in the preferences (WCAG 2.1.4).
 */
export function useShortcuts(shortcuts: Readonly<Record<string, () => void>>): void {
  const latest = useRef(shortcuts)
  latest.current = shortcuts
  // A layout effect: a key that is pressed as soon as the component is shown must not be lost.
  useLayoutEffect(() => {
    function onKeyDown(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
      if (!areSingleKeysEnabled() || isTextField(event.target) || document.querySelector('dialog[open]') !== null)
        return
      const run = latest.current[event.key]
      if (run === undefined) return
      event.preventDefault()
      run()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
}

/** Label of the command key on this platform. */
export const COMMAND_KEY: string = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl'

/** Registers a shortcut of the command key and a letter; it also works in text fields. */
export function useCommandShortcut(letter: string, run: () => void): void {
  const latest = useRef(run)
  latest.current = run
  useLayoutEffect(() => {
    function onKeyDown(event: KeyboardEvent): void {
      if (!(event.metaKey || event.ctrlKey) || event.altKey || event.key.toLowerCase() !== letter) return
      event.preventDefault()
      latest.current()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [letter])
}

function isTextField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** Moves the focus to the next or previous matching element; to the first one if none of them is focused. */
export function moveFocus(container: HTMLElement | null, selector: string, step: 1 | -1): void {
  const elements = [...(container?.querySelectorAll<HTMLElement>(selector) ?? [])]
  const focused = elements.findIndex((element) => element.matches(':focus'))
  const next = elements[focused < 0 ? 0 : Math.min(elements.length - 1, Math.max(0, focused + step))]
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}
