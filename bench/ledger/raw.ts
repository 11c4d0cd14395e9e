import { DatabaseSync } from 'node:sqlite'

/** What the disk and `node:sqlite` can do at best: the same bytes put under the same ids, durable, and no thought. */
export interface RawUpserts extends Disposable {
  /** One transaction. */
  upsert(ids: readonly string[]): void
}

export function openRawUpserts(path: string, payload: string): RawUpserts {
  const database = new DatabaseSync(path)
  // Room in memory as Purser takes it, so that neither reads what it has written.
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

/** All that a user's row holds, as one text. */
export function rowOf(path: string, id: string): string {
  using database = new DatabaseSync(path, { readOnly: true })
  return JSON.stringify(database.prepare('SELECT * FROM users WHERE id = ?').get(id))
}
