/*
 * PostgreSQL stores no NUL in text. NUL becomes U+0001 U+0001, and U+0001 becomes U+0001 U+0002, which keeps the order of
 * texts. Nearly no text contains either.
 */

export function encodeText(text: string): string {
  if (!text.includes('\0') && !text.includes('\u0001')) return text
  return text.replaceAll('\u0001', '\u0001\u0002').replaceAll('\0', '\u0001\u0001')
}

export function decodeText(text: string): string {
  if (!text.includes('\u0001')) return text
  return text.replaceAll('\u0001\u0001', '\0').replaceAll('\u0001\u0002', '\u0001')
}

/** JSON in which every string is encoded. */
export function encodeJson(value: unknown): string {
  const json = JSON.stringify(value)
  if (!json.includes('\\u0000') && !json.includes('\\u0001')) return json
  return JSON.stringify(value, (_key, member: unknown) => (typeof member === 'string' ? encodeText(member) : member))
}
