import type { MetaStore } from '../../../storage/store.ts'
import type { Database } from '../database.ts'
import type { Writer } from './writer.ts'

export function createSqliteMeta(main: Database, writer: Writer): MetaStore {
  const get = main.prepare('SELECT value FROM meta WHERE name = ?')
  return {
    get: (name) =>
      main.read(() => {
        const row = get.get(name)
        return row && String(row.value)
      }),
    compareAndSet: (name, expected, value) => writer.call('compareAndSetMeta', name, expected, value),
  }
}
