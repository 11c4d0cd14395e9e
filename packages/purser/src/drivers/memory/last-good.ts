import { subjectKey } from '../../core/subject.ts'
import type { LastGood, LastGoodStore } from '../../storage/last-good-store.ts'

interface Row {
  readonly incarnation: number
  readonly lease: string
  readonly kept: LastGood | undefined
}

/** Last good contexts in this process's memory: rows by user and section. The users of the map are oldest first. */
export function createMemoryLastGood(): LastGoodStore {
  const users = new Map<string, Map<string, Row>>()
  let count = 0

  function remove(key: string, section: string): void {
    const rows = users.get(key)
    if (rows?.delete(section) !== true) return
    count -= 1
    if (rows.size === 0) users.delete(key)
  }

  function put(key: string, section: string, row: Row): void {
    remove(key, section)
    const rows = users.get(key) ?? new Map<string, Row>()
    users.delete(key)
    users.set(key, rows.set(section, row))
    count += 1
  }

  return {
    async open({ user, section, incarnation }, candidate, maxRows) {
      const key = subjectKey(user)
      const row = users.get(key)?.get(section)
      if (row !== undefined && row.incarnation > incarnation) return {}
      if (row?.incarnation === incarnation) {
        return row.kept === undefined ? { lease: row.lease } : { lease: row.lease, kept: row.kept }
      }
      put(key, section, { incarnation, lease: candidate, kept: undefined })
      for (const [oldest, rows] of users) {
        if (count <= maxRows) break
        for (const name of rows.keys()) remove(oldest, name)
      }
      return { lease: candidate }
    },

    async keep({ user, section }, lease, kept) {
      const key = subjectKey(user)
      const row = users.get(key)?.get(section)
      if (row?.lease !== lease || (row.kept !== undefined && row.kept.loadedAt > kept.loadedAt)) return false
      put(key, section, { ...row, kept })
      return true
    },

    async drop(user, section) {
      const key = subjectKey(user)
      const names = section === undefined ? [...(users.get(key)?.keys() ?? [])] : [section]
      for (const name of names) remove(key, name)
    },
  }
}
