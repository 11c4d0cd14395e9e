import { withSignal } from '../core/abort.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { parsePageLimit, throwInvalid, validateOptions } from '../core/validate.ts'
import type { Note, UserLedger } from './api.ts'
import { formatInstant } from './calendar.ts'
import { addNote } from './decide/moderation.ts'
import type { LedgerDeps } from './deps.ts'
import { writeAndRetain } from './retention.ts'
import type { LedgerDecision, LedgerView } from './state.ts'
import { auditedWrite, parseAuditOptions } from './write-options.ts'

const NOTE_MAX_BYTES = 8_192

/** The kind of record that stores a note. */
export const NOTE_RECORDS = 'note'

/** Ids sort in the order in which the notes were written: they begin with the sequence of the note's event. */
export function noteIdOf(sequence: number, unique: string): string {
  return `${String(sequence).padStart(12, '0')}-${unique}`
}

/** The sequence of a note's event. */
export function noteSequenceOf(id: string): number {
  return Number.parseInt(id, 10)
}

/** Keyed, so that a short text cannot be guessed from it. */
export function noteDigest(keys: Keyring, { namespace, id }: Subject, note: Pick<Note, 'id' | 'text'>): string {
  return keys.mac('notes', [namespace, id, note.id, note.text])
}

export function createNotes(deps: LedgerDeps, user: Subject): Pick<UserLedger, 'addNote' | 'notes'> {
  const { store, effects, keys } = deps
  return {
    async addNote(input, options) {
      const by = parseAuditOptions(options, 'addNote')
      const text = parseNoteText(input)
      const unique = effects.randomId()
      const decide = (view: LedgerView): LedgerDecision<Note> => {
        const id = noteIdOf(view.version + 1, unique)
        const note: Note = { id, at: formatInstant(view.now), actor: by.actor, text }
        const digest = noteDigest(keys, user, note)
        return {
          events: addNote({ id, length: Buffer.byteLength(text), digest }, by),
          records: [{ kind: NOTE_RECORDS, name: id, value: JSON.stringify(note) }],
          result: () => note,
        }
      }
      return writeAndRetain(deps, user, auditedWrite<Note>(by, { call: 'note', body: text }, decide))
    },

    async notes(options = {}) {
      validateOptions('notes', options, ['limit', 'before'])
      const limit = parsePageLimit(options.limit)
      const before = parseNoteId(options.before)
      if (limit === 0) return []
      const page = store.users.records(user, NOTE_RECORDS, { limit, order: 'descending', after: before })
      return (await withSignal(page, options.signal)).map(({ value }) => JSON.parse(value) as Note)
    },
  }
}

function parseNoteText(text: unknown): string {
  const isText = typeof text === 'string' && text.trim() !== '' && text.isWellFormed()
  if (isText && Buffer.byteLength(text) <= NOTE_MAX_BYTES) return text
  return throwInvalid(`A note must be text of 1 to ${NOTE_MAX_BYTES.toLocaleString('en')} bytes.`, {
    code: 'note_invalid',
    hint: 'Split a longer note into several.',
  })
}

function parseNoteId(before: unknown): string | undefined {
  if (before === undefined || (typeof before === 'string' && /^\d{12}-/.test(before))) return before
  return throwInvalid("'before' must be the id of a note.", {
    name: 'before',
    hint: 'Pass the id of the last note of the previous page.',
  })
}
