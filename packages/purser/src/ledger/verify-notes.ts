import type { Subject } from '../core/subject.ts'
import type { parseBody } from '../journal/hash-chain.ts'
import { NOTE_RECORDS, type Note, noteDigest, noteId } from './notes.ts'
import type { VerifyDeps } from './verify.ts'

/*
 * The text of a note is stored beside the log, so the chain does not cover it. Its event does: with the note's id,
 * author, time and a keyed digest of the text. A note without an event gives itself away by the number of notes.
 */

const PAGE = 250

/** What is wrong with the note that this event tells of; undefined when nothing is, or it tells of none. */
export async function noteProblem(
  { store, keys }: VerifyDeps,
  user: Subject,
  { type, at, actor, data }: ReturnType<typeof parseBody>,
): Promise<string | undefined> {
  if (type !== 'admin_action' || data.action !== 'note') return undefined
  const id = String(data.id)
  const stored = await store.users.record(user, NOTE_RECORDS, id)
  if (stored === undefined) return 'The text of a note is missing.'
  const note = readNote(stored)
  const isTold =
    note?.id === id && note.actor === actor && note.at === at && noteDigest(keys, user, note) === data.digest
  return isTold ? undefined : 'A note was changed.'
}

/**
 * How many notes belong to events up to this sequence, and the sequence of the newest one: notes that are added
 * meanwhile are told of by later events.
 */
export async function notesUpTo(
  { store }: VerifyDeps,
  user: Subject,
  sequence: number,
): Promise<{ count: number; newest: number }> {
  const end = noteId(sequence + 1, '')
  const found = { count: 0, newest: 0 }
  for (let after: string | undefined; ; ) {
    const page = await store.users.records(user, NOTE_RECORDS, { limit: PAGE, order: 'ascending', after })
    found.count += page.filter(({ name }) => name < end).length
    after = page.at(-1)?.name ?? after
    if (page.length < PAGE) return { ...found, newest: after === undefined ? 0 : Number.parseInt(after, 10) }
  }
}

function readNote(stored: string): Note | undefined {
  try {
    return JSON.parse(stored) as Note
  } catch {
    return undefined
  }
}
