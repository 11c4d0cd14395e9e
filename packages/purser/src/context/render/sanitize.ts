/*
 * Text from profiles, feeds and other people's services is data, and must not be able to pass for the application's
 * own words: it cannot open or close a tag, begin a line, hide from a reader or turn the order of letters around.
 */

/** Angle brackets in all the forms that a model reads as one. They become quotation marks that look alike. */
const OPENING = /[<\uFE64\uFF1C]/g
const CLOSING = /[>\uFE65\uFF1E]/g
/** Line breaks, tabs and other control characters, and the separators that render as breaks. */
const BREAKS = /[\p{Cc}\u2028\u2029]+/gu
/**
 * Characters that nobody sees: direction marks and overrides, zero-width ones, language tags. The two joiners
 * stay, because Persian, Hindi and emoji are written with them.
 */
const HIDDEN =
  /[\u00AD\u061C\u180E\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]/gu
const SUSPECT =
  /[<>\uFE64\uFE65\uFF1C\uFF1E\p{Cc}\u2028\u2029\u00AD\u061C\u180E\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]/u

/** One line of harmless, well-formed text. */
export function sanitize(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed()
  if (!SUSPECT.test(wellFormed)) return wellFormed.trim()
  return wellFormed.replace(HIDDEN, '').replace(BREAKS, ' ').replace(OPENING, '‹').replace(CLOSING, '›').trim()
}

/** Cuts text to so many characters, never through one that takes two code units. */
export function shorten(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  const end = maxCharacters - 1
  const splits = /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
  return `${text.slice(0, splits ? end - 1 : end).trimEnd()}…`
}
