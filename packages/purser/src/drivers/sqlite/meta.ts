import type { MetaStore } from '../../store.ts'
import type { Database } from './database.ts'

export function createSqliteMeta(main: Database): MetaStore {
  const get = main.prepare('SELECT value FROM meta WHERE name = ?')
  const add = main.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const replace = main.prepare('UPDATE meta SET value = ? WHERE name = ? AND value = ?')
  return {
    get: (name) =>
      main.read(() => {
        const row = get.get(name)
        return row && String(row.value)
      }),
    compareAndSet: (name, expected, value) =>
      main.write(
        () => (expected === undefined ? add.run(name, value) : replace.run(value, name, expected)).changes === 1,
      ),
  }
}
