import { PurserError } from '../errors.ts'

/** What a person wrote about a user. The text is stored here alone; its event holds id, length and a keyed digest. */
export interface Note {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly actor: string
  readonly text: string
}

export const NOTE_MAX_BYTES = 8_192
export const NOTE_RECORDS = 'note'

/** Names sort in the order in which notes were written: by the sequence of their event. */
export function noteId(sequence: number, unique: string): string {
  return `${String(sequence).padStart(12, '0')}-${unique}`
}

export function noteText(text: unknown): string {
  if (
    typeof text === 'string' &&
    text.trim() !== '' &&
    text.isWellFormed() &&
    Buffer.byteLength(text) <= NOTE_MAX_BYTES
  )
    return text
  throw new PurserError('note_invalid', `A note is text of 1 to ${NOTE_MAX_BYTES.toLocaleString('en')} bytes.`, {
    hint: 'Split a longer note into several.',
  })
}
