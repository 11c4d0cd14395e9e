import { DatabaseSync } from 'node:sqlite'

/** The maximum of disk and `node:sqlite`: durable upserts of the same bytes under the same ids, and nothing else. */
export interface RawUpserts extends Disposable {
  /** One transaction. */
  upsert(ids: readonly string[]): void
}

export function openRawUpserts(path: string, payload: string): RawUpserts {
  const database = new DatabaseSync(path)
  // The cache size of Purser, so that neither reads back what it has written.
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -32768;
    CREATE TABLE raw (id TEXT PRIMARY KEY, value TEXT NOT NULL);
  `)
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const put = database.prepare('INSERT INTO raw VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
  let written = 0
  return {
    upsert(ids) {
      begin.run()
      for (const id of ids) put.run(id, `${payload}${written++}`)
      commit.run()
    },
    [Symbol.dispose]: () => database.close(),
  }
}

/** All columns of a user's row as one text. */
export function readUserRow(path: string, id: string): string {
  using database = new DatabaseSync(path, { readOnly: true })
  return JSON.stringify(database.prepare('SELECT * FROM users WHERE id = ?').get(id))
}
