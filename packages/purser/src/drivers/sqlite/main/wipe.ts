import type { Database } from '../database.ts'

/** Name in `meta` of the note what is still to do with the files: `rewrite` them, then `cut` their logs. */
export const PENDING_REWRITE = 'unclean'

/** The steps that wipe what erased users have left behind; see `purge.ts`. */
export interface WipeCalls {
  /** Deletes at most `limit` rows of a user who is out of reach, and tells how many. Fewer: nothing is left. */
  wipe(uid: number, limit: number): Promise<number>
  /** Strikes a wiped user off the list, and notes that the files are to be written anew. */
  endPurge(purge: number): Promise<void>
  /** null: nothing is left to do with the files. */
  noteUnclean(step: 'rewrite' | 'cut' | null): Promise<void>
}

export function prepareWipe(main: Database): WipeCalls {
  const slices = [
    'DELETE FROM events WHERE position IN (SELECT position FROM events WHERE uid = ? LIMIT ?)',
    'DELETE FROM records WHERE uid = ?1 AND (kind, name) IN (SELECT kind, name FROM records WHERE uid = ?1 LIMIT ?2)',
    'DELETE FROM replies WHERE uid = ?1 AND key IN (SELECT key FROM replies WHERE uid = ?1 LIMIT ?2)',
  ].map(main.prepare)
  const done = main.prepare('DELETE FROM purges WHERE purge = ?')
  const setNote = main.prepare(
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const dropNote = main.prepare('DELETE FROM meta WHERE name = ?')
  return {
    wipe: (uid, limit) =>
      main.write(() => {
        let wiped = 0
        for (const slice of slices) if (wiped < limit) wiped += Number(slice.run(uid, limit - wiped).changes)
        return wiped
      }),
    endPurge: (purge) =>
      main.write(() => {
        setNote.run(PENDING_REWRITE, 'rewrite')
        done.run(purge)
      }),
    noteUnclean: (step) =>
      main.write(() => void (step === null ? dropNote.run(PENDING_REWRITE) : setNote.run(PENDING_REWRITE, step))),
  }
}
