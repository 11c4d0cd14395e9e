/*
 * Text from profiles, feeds and other services is data and must not pass for the application's own instructions: it
 * cannot open or close a tag, start a line, contain hidden characters or reverse the order of letters.
 */

/** Angle brackets in all forms that a model reads as one. They are replaced by quotation marks that look alike. */
const OPENING = /[<\uFE64\uFF1C]/g
const CLOSING = /[>\uFE65\uFF1E]/g
/** Line breaks, tabs and other control characters, and the separators that render as breaks. */
const BREAKS = /[\p{Cc}\u2028\u2029]+/gu
/**
 * Invisible characters: direction marks and overrides, fillers, zero-width ones, language tags, variation selectors. The
 * joiners and the two selectors of emoji are handled by `JOINERS`.
 */
const HIDDEN = /[[\p{DI}\p{Noncharacter_Code_Point}\uFFF9-\uFFFC]--[\u200C\u200D\uFE0E\uFE0F]]/gv
/**
 * Joiners and selectors that no script needs: after an ASCII character, where they only split a word, and in long runs,
 * which can carry hidden text. Persian, Hindi and emoji are written with single ones; a keycap has one after a digit.
 */
const JOINERS =
  /(?<![^\p{ASCII}])(?!(?<=[0-9#*])\uFE0F\u20E3)(?:\u200C|\u200D|\uFE0E|\uFE0F)+|(?:\u200C|\u200D|\uFE0E|\uFE0F){3,}/gu
/** Any of the above. */
const SUSPECT = /[<>\uFE64\uFE65\uFF1C\uFF1E\p{Cc}\p{Zl}\p{Zp}\p{DI}\p{Noncharacter_Code_Point}\uFFF9-\uFFFC]/u

/** One line of harmless, well-formed text. */
export function sanitize(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed()
  if (!SUSPECT.test(wellFormed)) return wellFormed.trim()
  return wellFormed
    .replace(HIDDEN, '')
    .replace(JOINERS, '')
    .replace(BREAKS, ' ')
    .replace(OPENING, '‹')
    .replace(CLOSING, '›')
    .trim()
}

/** A name as people give fields: letters, digits and a few signs. */
const PLAIN_NAME = /^[\p{L}\p{M}\p{N}_.$@/ -]{1,64}$/u
const NAME_MAX_CHARACTERS = 64

/** The name of a field. One that could pass for text or for several fields is quoted. */
export function formatName(name: string): string {
  return PLAIN_NAME.test(name) ? name : JSON.stringify(shorten(name, NAME_MAX_CHARACTERS))
}

/** Cuts text to `maxCharacters` UTF-16 code units, never inside a surrogate pair. The last one is an ellipsis. */
export function shorten(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  const end = maxCharacters - 1
  const splits = /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
  return `${text.slice(0, splits ? end - 1 : end).trimEnd()}…`
}
