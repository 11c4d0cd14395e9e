/*
 * Text from users, servers and files must not control a terminal, and must look like what it is: no escape sequences, no
 * reversed order of letters, no invisible characters.
 */

/**
 * Control characters (C0, DEL, C1), line separators, direction marks and overrides, invisible characters, lone surrogates,
 * and the noncharacters that mark styles. The joiners and the variation selectors of emoji stay: scripts need them.
 */
const UNSAFE = /[[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{DI}\uFDD0-\uFDEF\uFFF9-\uFFFB]--[\u200C\u200D\uFE0E\uFE0F]]/gv

/** Escapes everything unsafe, line breaks included. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, escapeCharacter)
}

/** Like `escapeControls`, for whole lines: line breaks stay. JSON stays the same JSON. */
export function escapeLines(text: string): string {
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escapeCharacter(character)))
}

/** JSON never contains unescaped characters below U+0020; the others get an escape that JSON has as well. */
function escapeCharacter(character: string): string {
  const first = character.charCodeAt(0)
  if (first < 0x20) return `\\x${first.toString(16).padStart(2, '0')}`
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
  }).join('')
}
