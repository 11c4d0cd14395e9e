import type { Subject } from '../identity.ts'
import type { parseBody } from '../journal/chain.ts'
import { NOTE_RECORDS, type Note, noteDigest } from './notes.ts'
import type { VerifyHouse } from './verify.ts'

/*
 * The text of a note is stored beside the log, so the chain does not cover it. Its event does: with the note's id,
 * author, time and a keyed digest of the text. A note without an event gives itself away by the number of notes.
 */

const PAGE = 250

/** What is wrong with the note that this event tells of; undefined when nothing is, or it tells of none. */
export async function noteProblem(
  { store, keys }: VerifyHouse,
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

export async function countNotes({ store }: VerifyHouse, user: Subject): Promise<number> {
  let count = 0
  for (let after: string | undefined; ; ) {
    const page = await store.users.records(user, NOTE_RECORDS, { limit: PAGE, order: 'ascending', after })
    count += page.length
    after = page.at(-1)?.name
    if (page.length < PAGE) return count
  }
}

function readNote(stored: string): Note | undefined {
  try {
    return JSON.parse(stored) as Note
  } catch {
    return undefined
  }
}
