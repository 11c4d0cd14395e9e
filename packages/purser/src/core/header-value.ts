const PLAIN = /^[\x20-\x24\x26-\x7e]*$/

/**
 * A text as the value of a header: visible ASCII and spaces as they are, everything else and `%` percent-encoded in UTF-8.
 * `decodeURIComponent` gives the text again.
 */
export function encodeHeaderValue(text: string): string {
  if (PLAIN.test(text)) return text
  return text.toWellFormed().replace(/[^\x20-\x7e]|%/gu, encodeURIComponent)
}
