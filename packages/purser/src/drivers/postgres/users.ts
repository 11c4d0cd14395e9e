import type { Subject } from '../../core/subject.ts'
import type { Commit, CommitOutcome, Erasure, ErasureOutcome } from '../../storage/commit.ts'
import type { UserStore } from '../../storage/store.ts'
import { type ErasedParts, finishErasure } from '../after-erase.ts'
import type { SharedBus } from '../process-messages.ts'
import type { CommitQueue } from './commit-queue.ts'
import type { Connection } from './connection.ts'
import { countMatching, countUsers, listUsers } from './list-users.ts'
import { type StoredUserRow, USER_COLUMNS, userOf } from './rows.ts'
import { decodeText, encodeJson, encodeText } from './text.ts'
import { type ErasedRows, erasureOf, lockWrites } from './write-lock.ts'

export interface PostgresUsersDeps extends ErasedParts {
  readonly connection: Connection
  readonly commits: CommitQueue
  readonly bus: SharedBus
}

export function createPostgresUsers(deps: PostgresUsersDeps): UserStore {
  const { connection, commits, bus } = deps
  const { schema } = connection

  function afterCommit(user: Subject, commit: Commit, isWritten: boolean): CommitOutcome {
    if (!isWritten) return { ok: false }
    bus.notifyCommit(user, commit)
    return { ok: true, revision: (commit.expect ?? 0) + 1 }
  }

  async function afterErase(user: Subject, erasure: Erasure, rows: ErasedRows | null): Promise<ErasureOutcome> {
    if (rows === null) return { ok: false }
    const answers = await finishErasure(user, erasure, deps)
    const { records: kinds, ...counts } = rows
    const records = Object.entries(kinds ?? {}).map(([kind, amount]) => [decodeText(kind), amount] as const)
    return { ok: true, counts: { ...counts, ...Object.fromEntries(records), answers } }
  }

  return {
    ...createReads(deps),
    async commit(user, commit) {
      return afterCommit(user, commit, await commits.commit(user, commit))
    },
    async erase(user, erasure) {
      const [row] = await connection.query<{ result: ErasedRows | null }>({
        text: `SELECT ${schema}.erase_user($1) AS result`,
        values: [encodeJson(erasureOf(user, erasure))],
      })
      return afterErase(user, erasure, row?.result ?? null)
    },
    async lockWrites() {
      const lock = await lockWrites(connection)
      return {
        commit: async (user, commit) => afterCommit(user, commit, await lock.commit(user, commit)),
        erase: async (user, erasure) => afterErase(user, erasure, await lock.erase(user, erasure)),
        release: lock.release,
      }
    },
    list: (query) => listUsers(connection, query),
    count: (query) => countMatching(connection, query),
    overview: (namespace) => countUsers(connection, namespace),
    async purge() {
      // Frees the space for other rows. The bytes stay until they are overwritten, and in the write-ahead log. A vacuum
      // that takes longer than a statement may is left to the server's own.
      const tables = ['users', 'records', 'events', 'replies', 'turns', 'user_sums', 'answers', 'last_good']
      await connection
        .query({ text: `VACUUM (SKIP_LOCKED) ${tables.map((table) => `${schema}.${table}`).join(', ')}` })
        .catch(() => undefined)
      return false
    },
    async sweepReplies(now, limit) {
      const rows = await connection.query({
        text: `DELETE FROM ${schema}.replies WHERE (uid, key) IN
          (SELECT uid, key FROM ${schema}.replies WHERE expires_at <= $1 LIMIT $2) RETURNING 1`,
        values: [now, limit],
      })
      return rows.length
    },
  }
}

type Reads = Pick<UserStore, 'load' | 'nextIncarnation' | 'record' | 'records' | 'reply'>

function createReads({ connection }: PostgresUsersDeps): Reads {
  const { schema } = connection
  const ofUser = `uid = (SELECT uid FROM ${schema}.users WHERE namespace = $1 AND id = $2)`
  return {
    async load({ namespace, id }) {
      const [row] = await connection.query<StoredUserRow>({
        name: 'load',
        text: `SELECT ${USER_COLUMNS} FROM ${schema}.users WHERE namespace = $1 AND id = $2`,
        values: [namespace, id],
      })
      return row && userOf(row)
    },
    async nextIncarnation(namespace, tag) {
      const [row] = await connection.query<{ next: number }>({
        text: `SELECT next FROM ${schema}.incarnations WHERE namespace = $1 AND tag = $2`,
        values: [namespace, tag],
      })
      return row?.next ?? 1
    },
    async record({ namespace, id }, kind, name) {
      const [row] = await connection.query<{ value: string }>({
        name: 'record',
        text: `SELECT value FROM ${schema}.records WHERE ${ofUser} AND kind = $3 AND name = $4`,
        values: [namespace, id, encodeText(kind), encodeText(name)],
      })
      return row && decodeText(row.value)
    },
    async records({ namespace, id }, kind, { limit, order, after }) {
      const [sign, direction] = order === 'ascending' ? ['>', 'ASC'] : ['<', 'DESC']
      const rows = await connection.query<{ name: string; value: string }>({
        text: `SELECT name, value FROM ${schema}.records WHERE ${ofUser} AND kind = $3
          ${after === undefined ? '' : `AND name ${sign} $5`} ORDER BY name ${direction} LIMIT $4`,
        values: [namespace, id, encodeText(kind), limit, ...(after === undefined ? [] : [encodeText(after)])],
      })
      return rows.map(({ name, value }) => ({ name: decodeText(name), value: decodeText(value) }))
    },
    async reply({ namespace, id }, key) {
      const [row] = await connection.query<{ digest: string; result: string; expires_at: number }>({
        name: 'reply',
        text: `SELECT digest, result, expires_at FROM ${schema}.replies WHERE ${ofUser} AND key = $3`,
        values: [namespace, id, encodeText(key)],
      })
      return row && { key, digest: decodeText(row.digest), result: decodeText(row.result), expiresAt: row.expires_at }
    },
  }
}
