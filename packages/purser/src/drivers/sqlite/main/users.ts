import type { Subject } from '../../../core/subject.ts'
import { type Erasure, type ErasureOutcome, LOG_OF_NAMESPACE } from '../../../storage/commit.ts'
import type { UserStore } from '../../../storage/store.ts'
import { type LocalBus, notifyCommit } from '../../local-bus.ts'
import type { ChangePoller } from '../bus/change-poller.ts'
import type { Database } from '../database.ts'
import type { ErasedRows, Reader, Writer } from '../worker/threads.ts'
import { CommitBatches, toCommitOutcome } from './commit-batches.ts'
import { pack } from './packed-commit.ts'
import type { Purge } from './purge.ts'
import { USER_COLUMNS, userOf } from './rows.ts'

export interface UsersDeps {
  readonly main: Database
  readonly reader: Reader
  readonly writer: Writer
  readonly local: LocalBus
  readonly changes: ChangePoller
  readonly purge: Purge
  /** Makes the answers of a user unreachable; resolves to their number. */
  forgetAnswers(namespace: string, tag: string): Promise<number>
}

export function createSqliteUsers(deps: UsersDeps): UserStore {
  const { reader, writer, purge } = deps
  return {
    ...prepareReads(deps),
    ...createWrites(deps),
    list: (query) => reader.call('list', query),
    count: (query) => reader.call('count', query),
    overview: (namespace) => reader.call('overview', namespace),
    purge: () => purge.run(),
    sweepReplies: (now, limit) => writer.call('sweepReplies', now, limit),
  }
}

type Reads = Pick<UserStore, 'load' | 'nextIncarnation' | 'record' | 'records' | 'reply'>

/** Reads of a few rows, which run at once. */
function prepareReads({ main, changes }: UsersDeps): Reads {
  const load = main.prepare(`SELECT ${USER_COLUMNS} FROM users WHERE namespace = ? AND id = ?`)
  const next = main.prepare('SELECT next FROM incarnations WHERE namespace = ? AND tag = ?')
  const ofUser = 'uid = (SELECT uid FROM users WHERE namespace = ? AND id = ?)'
  const record = main.prepare(`SELECT value FROM records WHERE ${ofUser} AND kind = ? AND name = ?`)
  const page = `SELECT name, value FROM records WHERE ${ofUser} AND kind = ?`
  const pages = {
    ascending: {
      first: main.prepare(`${page} ORDER BY name LIMIT ?`),
      next: main.prepare(`${page} AND name > ? ORDER BY name LIMIT ?`),
    },
    descending: {
      first: main.prepare(`${page} ORDER BY name DESC LIMIT ?`),
      next: main.prepare(`${page} AND name < ? ORDER BY name DESC LIMIT ?`),
    },
  }
  const reply = main.prepare(`SELECT key, digest, result, expires_at FROM replies WHERE ${ofUser} AND key = ?`)
  return {
    load: ({ namespace, id }) =>
      main.read(() => {
        changes.watch(namespace)
        const row = load.get(namespace, id)
        return row && userOf(row)
      }),
    nextIncarnation: (namespace, tag) => main.read(() => Number(next.get(namespace, tag)?.next ?? 1)),
    record: ({ namespace, id }, kind, name) =>
      main.read(() => {
        const row = record.get(namespace, id, kind, name)
        return row && String(row.value)
      }),
    records: ({ namespace, id }, kind, { order, after, limit }) =>
      main.read(() => {
        const { first, next } = pages[order]
        const rows =
          after === undefined ? first.all(namespace, id, kind, limit) : next.all(namespace, id, kind, after, limit)
        return rows.map(({ name, value }) => ({ name: String(name), value: String(value) }))
      }),
    reply: ({ namespace, id }, key) =>
      main.read(() => {
        const row = reply.get(namespace, id, key)
        return row && { key, digest: String(row.digest), result: String(row.result), expiresAt: Number(row.expires_at) }
      }),
  }
}

type Writes = Required<Pick<UserStore, 'commit' | 'erase' | 'lockWrites'>>

function createWrites({ writer, main, local, forgetAnswers }: UsersDeps): Writes {
  const commits = new CommitBatches({ writer, local, path: main.path })

  async function afterErase(
    user: Subject,
    { tag, log }: Erasure,
    counts: ErasedRows | undefined,
  ): Promise<ErasureOutcome> {
    if (counts === undefined) return { ok: false }
    notifyCommit(local, user, { events: [] })
    notifyCommit(local, { namespace: user.namespace, id: LOG_OF_NAMESPACE }, log)
    // The user is unreachable from here on. The purge does again what fails now.
    const answers = await forgetAnswers(user.namespace, tag).catch(() => 0)
    return { ok: true, counts: { ...counts, answers } }
  }

  return {
    commit: (user, commit) => commits.commit(user, commit),
    async erase(user, erasure) {
      commits.send()
      return afterErase(user, erasure, await writer.call('erase', user, erasure))
    },
    async lockWrites() {
      commits.send()
      const lock = await writer.call('lockWrites')
      let isReleased = false
      return {
        async commit(user, commit) {
          isReleased = true
          const isWritten = await writer.callNow('commitLocked', lock, pack(user, commit))
          return toCommitOutcome(local, { user, commit, isWritten })
        },
        async erase(user, erasure) {
          isReleased = true
          return afterErase(user, erasure, await writer.callNow('eraseLocked', lock, user, erasure))
        },
        async release() {
          if (!isReleased) await writer.callNow('releaseLock', lock)
          isReleased = true
        },
      }
    },
  }
}
