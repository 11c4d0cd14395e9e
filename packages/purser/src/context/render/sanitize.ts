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
 * Invisible characters: direction marks and overrides, zero-width ones, language tags. The two joiners stay, because
 * Persian, Hindi and emoji are written with them.
 */
const HIDDEN =
  /[\u00AD\u061C\u180E\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]/gu
/** Any of the above. */
const SUSPECT =
  /[<>\uFE64\uFE65\uFF1C\uFF1E\p{Cc}\u2028\u2029\u00AD\u061C\u180E\u200B\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]/u

/** One line of harmless, well-formed text. */
export function sanitize(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed()
  if (!SUSPECT.test(wellFormed)) return wellFormed.trim()
  return wellFormed.replace(HIDDEN, '').replace(BREAKS, ' ').replace(OPENING, '‹').replace(CLOSING, '›').trim()
}

/** Cuts text to `maxCharacters` UTF-16 code units, never inside a surrogate pair. The last one is an ellipsis. */
export function shorten(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  const end = maxCharacters - 1
  const splits = /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
  return `${text.slice(0, splits ? end - 1 : end).trimEnd()}…`
}
