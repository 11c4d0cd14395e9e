import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openCache } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

test('opening a cache file of an earlier format removes its tables and every byte of their rows', async () => {
  const path = temporaryPath()
  const earlier = new DatabaseSync(path)
  earlier.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE answers_1 (id INTEGER PRIMARY KEY, namespace TEXT, owner TEXT, key TEXT, bytes INTEGER);
    CREATE UNIQUE INDEX answers_1_by_key ON answers_1 (key, namespace);
    CREATE TABLE answer_values_1 (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE answer_sums_1 (namespace TEXT PRIMARY KEY, entries INTEGER);
    CREATE TABLE answer_scopes_1 (owner TEXT PRIMARY KEY, entries INTEGER);
    CREATE TABLE answer_wipes_1 (wipe INTEGER PRIMARY KEY, owner TEXT);
    CREATE TRIGGER answers_1_out AFTER DELETE ON answers_1 BEGIN DELETE FROM answer_values_1 WHERE id = OLD.id; END;`)
  const insert = earlier.prepare('INSERT INTO answers_1 (owner, key) VALUES (?, ?)')
  const insertValue = earlier.prepare('INSERT INTO answer_values_1 (value) VALUES (?)')
  for (let n = 0; n < 300; n++) {
    insert.run(`canary ${n}`, `canary ${n}`)
    insertValue.run(`canary ${'x'.repeat(20 * n)}`)
  }
  earlier.close()
  assert.ok(readFileSync(path).includes('canary'))

  const cache = await openCache(path)
  const tables = cache.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'answer%\\_1%' ESCAPE '\\'").all()
  assert.deepEqual(tables, [])
  for (const file of [path, `${path}-wal`]) {
    assert.ok(!existsSync(file) || !readFileSync(file).includes('canary'), file)
  }
  await cache.close()
})
