import type { Subject } from '../../../core/subject.ts'
import {
  type Commit,
  type CommitOutcome,
  type Erasure,
  type ErasureOutcome,
  LOG_OF_NAMESPACE,
  type UserStore,
} from '../../../storage/store.ts'
import type { LocalBus } from '../../local-bus.ts'
import { notifyCommit } from '../../notify-commit.ts'
import type { ChangePoller } from '../bus/change-poller.ts'
import type { Database } from '../database.ts'
import { packCommit } from './packed-commit.ts'
import type { Purge } from './purge.ts'
import type { Reader } from './reader.ts'
import { USER_COLUMNS, userOf } from './rows.ts'
import type { Writer } from './writer.ts'

export interface UsersDeps {
  readonly main: Database
  readonly reader: Reader
  readonly writer: Writer
  readonly local: LocalBus
  readonly commits: ChangePoller
  readonly purge: Purge
  /** How many answers of this user are reachable; they are taken out of reach. */
  forgetAnswers(namespace: string, tag: string): Promise<number>
}

export function createSqliteUsers({
  main,
  reader,
  writer,
  local,
  commits,
  purge,
  forgetAnswers,
}: UsersDeps): UserStore {
  const load = main.prepare(`SELECT ${USER_COLUMNS} FROM users WHERE namespace = ? AND id = ?`)
  const next = main.prepare('SELECT next FROM incarnations WHERE namespace = ? AND tag = ?')
  const ofUser = 'uid = (SELECT uid FROM users WHERE namespace = ? AND id = ?)'
  const record = main.prepare(`SELECT value FROM records WHERE ${ofUser} AND kind = ? AND name = ?`)
  const ascending = main.prepare(
    `SELECT name, value FROM records WHERE ${ofUser} AND kind = ? AND name > ? ORDER BY name LIMIT ?`,
  )
  const fromFirst = main.prepare(`SELECT name, value FROM records WHERE ${ofUser} AND kind = ? ORDER BY name LIMIT ?`)
  const descending = main.prepare(
    `SELECT name, value FROM records WHERE ${ofUser} AND kind = ? AND name < ? ORDER BY name DESC LIMIT ?`,
  )
  const fromLast = main.prepare(
    `SELECT name, value FROM records WHERE ${ofUser} AND kind = ? ORDER BY name DESC LIMIT ?`,
  )
  const reply = main.prepare(`SELECT key, digest, result, expires_at FROM replies WHERE ${ofUser} AND key = ?`)

  function committed(user: Subject, commit: Commit, isWritten: boolean): CommitOutcome {
    if (!isWritten) return { ok: false }
    notifyCommit(local, user, commit)
    return { ok: true, revision: (commit.expect ?? 0) + 1 }
  }

  async function erased(
    user: Subject,
    { tag, log }: Erasure,
    counts: Readonly<Record<string, number>> | undefined,
  ): Promise<ErasureOutcome> {
    if (counts === undefined) return { ok: false }
    notifyCommit(local, user, { events: [] })
    notifyCommit(local, { namespace: user.namespace, id: LOG_OF_NAMESPACE }, log)
    // From here on the user is gone. What fails now is made up for later.
    const answers = await forgetAnswers(user.namespace, tag).catch(() => 0)
    return { ok: true, counts: { ...counts, answers } }
  }

  return {
    load: ({ namespace, id }) =>
      main.read(() => {
        commits.uses(namespace)
        const row = load.get(namespace, id)
        return row && userOf(row)
      }),
    nextIncarnation: (namespace, tag) => main.read(() => Number(next.get(namespace, tag)?.next ?? 1)),
    async commit(user, commit) {
      return committed(user, commit, await writer.call('commit', packCommit(user, commit)))
    },
    async holdWrites() {
      const hold = await writer.call('holdWrites')
      let isOver = false
      return {
        async commit(user, commit) {
          isOver = true
          return committed(user, commit, await writer.callAtOnce('commitHeld', hold, packCommit(user, commit)))
        },
        async erase(user, erasure) {
          isOver = true
          return erased(user, erasure, await writer.callAtOnce('eraseHeld', hold, user, erasure))
        },
        async end() {
          if (!isOver) await writer.callAtOnce('endHold', hold)
          isOver = true
        },
      }
    },
    record: ({ namespace, id }, kind, name) =>
      main.read(() => {
        const row = record.get(namespace, id, kind, name)
        return row && String(row.value)
      }),
    records: ({ namespace, id }, kind, { order, after, limit }) =>
      main.read(() => {
        const [all, beyond] = order === 'ascending' ? [fromFirst, ascending] : [fromLast, descending]
        const rows =
          after === undefined ? all.all(namespace, id, kind, limit) : beyond.all(namespace, id, kind, after, limit)
        return rows.map(({ name, value }) => ({ name: String(name), value: String(value) }))
      }),
    reply: ({ namespace, id }, key) =>
      main.read(() => {
        const row = reply.get(namespace, id, key)
        return row && { key, digest: String(row.digest), result: String(row.result), expiresAt: Number(row.expires_at) }
      }),
    list: (query) => reader.call('list', query),
    overview: (namespace) => reader.call('overview', namespace),
    async erase(user, erasure) {
      return erased(user, erasure, await writer.call('erase', user, erasure))
    },
    purge: () => purge.run(),
    sweepReplies: (now, limit) => writer.call('sweepReplies', now, limit),
  }
}
