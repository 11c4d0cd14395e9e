import { subjectKey } from '../../core/subject.ts'
import type { LastGood, LastGoodStore } from '../../storage/last-good-store.ts'

interface Row {
  readonly incarnation: number
  readonly lease: string
  readonly data: LastGood | undefined
}

/** Last good contexts in the memory of this process. */
export function createMemoryLastGood(): LastGoodStore {
  const rows = createRows()
  return {
    async open({ user, section, incarnation }, candidate, maxRows) {
      const key = subjectKey(user)
      const row = rows.get(key, section)
      if (row !== undefined && row.incarnation > incarnation) return {}
      if (row?.incarnation === incarnation) {
        return row.data === undefined ? { lease: row.lease } : { lease: row.lease, data: row.data }
      }
      rows.put(key, section, { incarnation, lease: candidate, data: undefined })
      rows.evict(maxRows)
      return { lease: candidate }
    },

    async put({ user, section }, lease, data) {
      const key = subjectKey(user)
      const row = rows.get(key, section)
      if (row?.lease !== lease || (row.data !== undefined && row.data.loadedAt > data.loadedAt)) return false
      rows.put(key, section, { ...row, data })
      return true
    },

    async drop(user, section) {
      const key = subjectKey(user)
      const sections = section === undefined ? rows.sections(key) : [section]
      for (const name of sections) rows.remove(key, name)
    },
  }
}

interface Rows {
  get(user: string, section: string): Row | undefined
  sections(user: string): string[]
  put(user: string, section: string, row: Row): void
  remove(user: string, section: string): void
  /** Removes the rows of the users written longest ago, until there are at most `maxRows`. */
  evict(maxRows: number): void
}

/** Rows by user and section. The users of the map are in the order of their last write. */
function createRows(): Rows {
  const users = new Map<string, Map<string, Row>>()
  let count = 0

  function remove(user: string, section: string): void {
    const rows = users.get(user)
    if (rows?.delete(section) !== true) return
    count -= 1
    if (rows.size === 0) users.delete(user)
  }

  return {
    get: (user, section) => users.get(user)?.get(section),
    sections: (user) => [...(users.get(user)?.keys() ?? [])],
    put(user, section, row) {
      remove(user, section)
      const rows = users.get(user) ?? new Map<string, Row>()
      users.delete(user)
      users.set(user, rows.set(section, row))
      count += 1
    },
    remove,
    evict(maxRows) {
      for (const [user, rows] of users) {
        if (count <= maxRows) break
        for (const section of rows.keys()) remove(user, section)
      }
    },
  }
}
