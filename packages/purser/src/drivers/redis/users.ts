import { randomBytes } from 'node:crypto'
import { sleep } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import type { Subject } from '../../core/subject.ts'
import { PurserError } from '../../errors.ts'
import {
  type Commit,
  type CommitOutcome,
  type Erasure,
  type ErasureOutcome,
  LOG_OF_NAMESPACE,
} from '../../storage/commit.ts'
import type { UserStore, WriteLock } from '../../storage/store.ts'
import { type ErasedParts, finishErasure } from '../after-erase.ts'
import { bindMethods } from '../bind-methods.ts'
import type { Connection } from './connection.ts'
import type { Keys, LedgerKeys, UserKeys } from './keys.ts'
import { countUsers, UserList } from './list-users.ts'
import type { Namespaces } from './namespaces.ts'
import { commitArguments, daysOf, recordName, replyOf, USER_FIELDS, userOf } from './rows.ts'
import { COMMIT } from './scripts/commit.ts'
import { ERASE } from './scripts/erase.ts'
import { LOCK, UNLOCK } from './scripts/lock.ts'
import { RECORDS } from './scripts/read.ts'
import { SWEEP_REPLIES } from './scripts/sweep.ts'
import { COMMIT_ID_CHARS } from './scripts/write-user.ts'

export interface RedisUsersDeps extends ErasedParts {
  readonly connection: Connection
  /** That of commits and erasures. */
  readonly writes: Connection
  readonly keys: Keys
  readonly namespaces: Namespaces
  /** Deadline of a call, ms. */
  readonly timeoutMs: number
}

/** A lock ends by itself after this time. */
const MAX_LOCK_MS = 250
/** Pause before a write that met another process' lock is tried again. */
const LOCKED_MS = 4

const PROCESS_CHARS = 9

export function createRedisUsers(deps: RedisUsersDeps): UserStore {
  return bindMethods(new RedisUsers(deps))
}

class RedisUsers implements UserStore {
  readonly #deps: RedisUsersDeps
  readonly #list: UserList
  readonly #process = randomBytes(PROCESS_CHARS).toString('base64url').slice(0, PROCESS_CHARS)
  #commits = 0

  constructor(deps: RedisUsersDeps) {
    this.#deps = deps
    this.#list = new UserList(deps.connection, deps.keys)
  }

  async load(user: Subject): ReturnType<UserStore['load']> {
    const key = this.#keys(user).user
    return userOf(await this.#deps.connection.run<readonly (string | null)[]>(key, ['HMGET', key, ...USER_FIELDS]))
  }

  async nextIncarnation(namespace: string, tag: string): Promise<number> {
    const { incarnations } = this.#deps.keys.of(namespace).ledger
    return Number((await this.#deps.connection.run(incarnations, ['HGET', incarnations, tag])) ?? 1)
  }

  async record(user: Subject, kind: string, name: string): Promise<string | undefined> {
    const { records } = this.#keys(user)
    const args = ['HGET', records, recordName(kind, name)]
    return (await this.#deps.connection.run<string | null>(records, args)) ?? undefined
  }

  async records(
    user: Subject,
    kind: string,
    { limit, order, after }: Parameters<UserStore['records']>[2],
  ): ReturnType<UserStore['records']> {
    const { names, records } = this.#keys(user)
    const isAscending = order === 'ascending'
    const prefix = recordName(kind, '')
    const cursor = after === undefined ? undefined : `(${prefix}${after}`
    const first = (isAscending ? cursor : undefined) ?? `[${prefix}`
    // The byte after the colon.
    const last = (isAscending ? undefined : cursor) ?? `(${prefix.slice(0, -1)};`
    const args = [first, last, isAscending ? '' : 'REV', String(limit)]
    const page = await this.#deps.connection.eval<readonly string[]>(RECORDS, [names, records], args)
    const result: { name: string; value: string }[] = []
    for (let index = 0; index < page.length; index += 2)
      result.push({ name: (page[index] as string).slice(prefix.length), value: page[index + 1] as string })
    return result
  }

  async reply(user: Subject, key: string): ReturnType<UserStore['reply']> {
    const { replies } = this.#keys(user)
    return replyOf(key, await this.#deps.connection.run(replies, ['HGET', replies, key]))
  }

  commit(user: Subject, commit: Commit): Promise<CommitOutcome> {
    return this.#commit(user, commit)
  }

  erase(user: Subject, erasure: Erasure): Promise<ErasureOutcome> {
    return this.#erase(user, erasure)
  }

  async lockWrites(users: readonly Subject[]): Promise<WriteLock> {
    const { connection } = this.#deps
    const locks = users.map((user) => this.#keys(user).lock)
    const token = this.#nextId()
    await this.#whileLocked(async () => {
      const isTaken = (await connection.eval(LOCK, locks, [token, String(MAX_LOCK_MS)])) === 1
      return isTaken ? 'ok' : 'locked'
    })
    return {
      commit: (user, commit) => this.#commit(user, commit, token),
      erase: (user, erasure) => this.#erase(user, erasure, token),
      release: async () => void (await connection.eval(UNLOCK, locks, [token])),
    }
  }

  list(query: Parameters<UserStore['list']>[0]): ReturnType<UserStore['list']> {
    return this.#list.page(query)
  }

  count(query: Parameters<UserStore['count']>[0]): ReturnType<UserStore['count']> {
    return this.#list.count(query)
  }

  overview(namespace: string): ReturnType<UserStore['overview']> {
    return countUsers(this.#deps.connection, this.#deps.keys.of(namespace).ledger)
  }

  /** Redis writes its files anew when it is told to by its operator or its configuration. */
  async purge(): Promise<boolean> {
    return false
  }

  async sweepReplies(now: number, limit: number): Promise<number> {
    let removed = 0
    // Of the namespaces that this process writes.
    for (const namespace of this.#deps.namespaces.added()) {
      if (removed >= limit) break
      removed += await this.#sweepReplies(namespace, now, limit - removed)
    }
    return removed
  }

  async #sweepReplies(namespace: string, now: number, limit: number): Promise<number> {
    const { connection, keys } = this.#deps
    const { expiries } = keys.of(namespace).ledger
    const range = ['ZRANGEBYSCORE', expiries, '-inf', String(now), 'LIMIT', '0', String(limit)]
    const byUser = new Map<string, string[]>()
    for (const member of await connection.run<readonly string[]>(expiries, range)) {
      const space = member.indexOf(' ')
      const encoded = member.slice(0, space)
      byUser.set(encoded, [...(byUser.get(encoded) ?? []), member.slice(space + 1)])
    }
    const removed = await Promise.all(
      [...byUser].map(([encoded, replies]) => {
        const user = this.#keys({ namespace, id: decodeURIComponent(encoded) })
        return connection.eval<number>(SWEEP_REPLIES, [user.replies, expiries], [String(now), encoded, ...replies])
      }),
    )
    return removed.reduce((sum, amount) => sum + amount, 0)
  }

  async #commit(user: Subject, commit: Commit, token?: string): Promise<CommitOutcome> {
    const { writes, bus, namespaces } = this.#deps
    const added = namespaces.add(user.namespace)
    const id = this.#nextId()
    const scriptKeys = [...valuesOf(this.#keys(user)), ...valuesOf(this.#ledger(user)), ...this.#dayKeys(user, commit)]
    const build = (isRetry: boolean): string[] => commitArguments({ user, commit, id, token }, isRetry)
    // Sent at once, one behind the other.
    const written = this.#whileLocked(() => writes.write<string>(COMMIT, scriptKeys, build))
    const [outcome] = await Promise.all([written, added])
    if (outcome === 'refused') return { ok: false }
    bus.notifyCommit(user, commit)
    return { ok: true, revision: (commit.expect ?? 0) + 1 }
  }

  async #erase(user: Subject, erasure: Erasure, token?: string): Promise<ErasureOutcome> {
    const { writes, namespaces } = this.#deps
    const added = namespaces.add(user.namespace)
    const { tag, incarnation, revision, log: commit } = erasure
    const log: Subject = { namespace: user.namespace, id: LOG_OF_NAMESPACE }
    const id = this.#nextId()
    const ownKeys = [...valuesOf(this.#keys(log)), ...valuesOf(this.#ledger(user)), ...valuesOf(this.#keys(user))]
    const scriptKeys = [...ownKeys, ...this.#dayKeys(log, commit)]
    const head = [
      user.id,
      encodeURIComponent(user.id),
      tag,
      String(incarnation),
      String(incarnation + 1),
      String(revision ?? ''),
    ]
    const build = (isRetry: boolean): string[] => [
      ...head,
      ...commitArguments({ user: log, commit, id, token }, isRetry),
    ]
    const written = this.#whileLocked(() => writes.write<string>(ERASE, scriptKeys, build))
    const [outcome] = await Promise.all([written, added])
    if (outcome === 'refused') return { ok: false }
    return { ok: true, counts: { ...countsOf(outcome), answers: await finishErasure(user, erasure, this.#deps) } }
  }

  /** Repeats a write that meets the lock of another process. Locks end by themselves, so this does too. */
  async #whileLocked(write: () => Promise<string>): Promise<string> {
    const deadline = systemEffects.monotonic() + this.#deps.timeoutMs
    for (;;) {
      const outcome = await write()
      if (outcome === 'unknown')
        throw new PurserError('store_unavailable', 'It is unknown whether the commit was written.', {
          hint: 'The connection was lost for so long that others have written since. Read the user again.',
        })
      if (outcome !== 'locked') return outcome
      if (systemEffects.monotonic() >= deadline)
        throw new PurserError('store_unavailable', 'Other processes kept the write lock of this user.', {
          hint: 'Try again.',
        })
      await sleep(systemEffects, LOCKED_MS)
    }
  }

  #keys(user: Subject): UserKeys {
    return this.#deps.keys.user(user)
  }

  #ledger({ namespace }: Subject): LedgerKeys {
    return this.#deps.keys.of(namespace).ledger
  }

  /** The keys of the sums that a commit adds to. */
  #dayKeys({ namespace }: Subject, { recorded }: Commit): readonly string[] {
    return daysOf(recorded?.sums ?? []).map((day) => this.#deps.keys.of(namespace).sums(day))
  }

  #nextId(): string {
    this.#commits++
    return this.#process + this.#commits.toString(36).padStart(COMMIT_ID_CHARS - PROCESS_CHARS, '0')
  }
}

function valuesOf(keys: UserKeys | LedgerKeys): readonly string[] {
  return Object.values(keys)
}

/** Parses `ok user 1 events 3 note 2`. */
function countsOf(outcome: string): Record<string, number> {
  const words = outcome.split(' ')
  const counts: [string, number][] = []
  for (let index = 1; index < words.length; index += 2)
    counts.push([decodeURIComponent(words[index] as string), Number(words[index + 1])])
  return Object.fromEntries(counts)
}
