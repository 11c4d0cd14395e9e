import { type Subject, subjectKey } from '../../core/subject.ts'
import { LOG_OF_NAMESPACE, type StoredRecord } from '../../storage/commit.ts'
import type { RecordPage, UserStore } from '../../storage/store.ts'
import { type LocalBus, notifyCommit } from '../local-bus.ts'
import { compareText } from '../text-order.ts'
import { countMatching, countUsers, listUsers } from './list-users.ts'
import { applyCommit, canCommit, type MemoryUser, nextIncarnation, type Rows, removeUser, rowOf } from './rows.ts'

/** Removes the cached data of a user; resolves to the number of removed answers. */
export type EraseCache = (user: Subject, tag: string) => Promise<number>

export function createMemoryUsers(rows: Rows, bus: LocalBus, eraseCache: EraseCache): UserStore {
  const find = (user: Subject): MemoryUser | undefined => rows.users.get(subjectKey(user))
  return {
    async load(user) {
      const stored = find(user)
      return stored && rowOf(stored)
    },
    async nextIncarnation(namespace, tag) {
      return nextIncarnation(rows, namespace, tag)
    },
    async commit(user, commit) {
      if (!canCommit(rows, user, commit)) return { ok: false }
      const outcome = applyCommit(rows, user, commit)
      notifyCommit(bus, user, commit)
      return outcome
    },
    async record(user, kind, name) {
      return find(user)?.records.get(kind)?.get(name)
    },
    async records(user, kind, page) {
      return pageOf(find(user)?.records.get(kind), page)
    },
    async reply(user, key) {
      return find(user)?.replies.get(key)
    },
    async list(query) {
      return listUsers(rows.users.values(), query)
    },
    async count(query) {
      return countMatching(rows.users.values(), query)
    },
    async overview(namespace) {
      return countUsers(rows.users.values(), namespace)
    },
    async erase(user, { tag, incarnation, revision, log: commit }) {
      const stored = find(user)
      const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
      const current = stored?.incarnation ?? nextIncarnation(rows, user.namespace, tag)
      if (revision !== undefined && stored?.revision !== revision) return { ok: false }
      if (current !== incarnation || !canCommit(rows, log, commit)) return { ok: false }
      const counts = countRows(stored)
      removeUser(rows, user, { tag, incarnation: incarnation + 1 })
      applyCommit(rows, log, commit)
      notifyCommit(bus, user, { events: [] })
      notifyCommit(bus, log, commit)
      const answers = await eraseCache(user, tag)
      return { ok: true, counts: { ...counts, answers } }
    },
    purge: async () => true,
    async sweepReplies(now, limit) {
      return sweepReplies(rows, now, limit)
    },
  }
}

function countRows(stored: MemoryUser | undefined): Record<string, number> {
  const counts: Record<string, number> = {
    user: stored === undefined ? 0 : 1,
    events: stored?.events.length ?? 0,
    turns: stored?.turns.size ?? 0,
    usage: stored?.sums.size ?? 0,
  }
  for (const [kind, named] of stored?.records ?? []) if (named.size > 0) counts[kind] = named.size
  return counts
}

function pageOf(named: ReadonlyMap<string, string> | undefined, page: RecordPage): StoredRecord[] {
  const direction = page.order === 'ascending' ? 1 : -1
  const { after } = page
  return [...(named ?? [])]
    .filter(([name]) => after === undefined || direction * compareText(name, after) > 0)
    .sort(([a], [b]) => direction * compareText(a, b))
    .slice(0, page.limit)
    .map(([name, value]) => ({ name, value }))
}

function sweepReplies(rows: Rows, now: number, limit: number): number {
  let removed = 0
  for (const stored of rows.users.values()) {
    for (const reply of stored.replies.values()) {
      if (removed === limit) return removed
      if (reply.expiresAt > now) continue
      stored.replies.delete(reply.key)
      removed++
    }
  }
  return removed
}
