import { withSignal } from '../core/abort.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Decision } from '../journal/api.ts'
import type { UserLedger } from './api.ts'
import { auditedWrite, parseAuditOptions } from './audit.ts'
import { noteAdded } from './decide/moderation.ts'
import type { LedgerDeps } from './deps.ts'
import { instant, type LedgerView } from './quota.ts'
import { writeAndRetain } from './retention.ts'
import type { LedgerState, Measurements } from './state.ts'
import { pageLimit, refuse } from './validate-arguments.ts'

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

/** Keyed, so that nobody can guess a short text from it. */
export function noteDigest(keys: Keyring, { namespace, id }: Subject, note: Pick<Note, 'id' | 'text'>): string {
  return keys.mac('notes', [namespace, id, note.id, note.text])
}

/** Writing notes and reading them, newest first. */
export function createNotes(house: LedgerDeps, user: Subject): Pick<UserLedger, 'addNote' | 'notes'> {
  const { store, effects, keys } = house
  return {
    async addNote(given, acts) {
      const by = parseAuditOptions(acts, 'addNote')
      const body = noteText(given)
      const unique = effects.randomId()
      const decide = (view: LedgerView): Decision<LedgerState, Measurements, Note> => {
        const id = noteId(view.version + 1, unique)
        const note: Note = { id, at: instant(view.now), actor: by.actor, text: body }
        const digest = noteDigest(keys, user, note)
        return {
          events: noteAdded({ id, length: Buffer.byteLength(body), digest }, by),
          records: [{ kind: NOTE_RECORDS, name: id, value: JSON.stringify(note) }],
          result: () => note,
        }
      }
      return writeAndRetain(house, user, auditedWrite<Note>(by, { call: 'note', body }, decide))
    },

    async notes(given = {}) {
      validateOptions('notes', given, ['limit', 'before', 'signal'])
      const limit = pageLimit(given.limit)
      const { before } = given
      if (before !== undefined && (typeof before !== 'string' || !/^\d{12}-/.test(before)))
        refuse(
          'argument_invalid',
          'before must be the id of a note.',
          'Take that of the last note of the page before.',
          'before',
        )
      given.signal?.throwIfAborted()
      if (limit === 0) return []
      const page = store.users.records(user, NOTE_RECORDS, { limit, order: 'descending', after: before })
      return (await withSignal(page, given.signal)).map(({ value }) => JSON.parse(value) as Note)
    },
  }
}
