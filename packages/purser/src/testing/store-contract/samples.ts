import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Subject } from '../../core/subject.ts'
import {
  type Commit,
  type CommitOutcome,
  type Erasure,
  type Facets,
  LOG_OF_NAMESPACE,
  type Store,
  type StoredEvent,
  type UserQuery,
} from '../../storage/store.ts'

/** One promise of the contract: a sentence, and what shows that it holds. */
export interface Promised {
  readonly name: string
  /** Gets an empty store. `reopen` closes it and opens the same data again; only for durable stores. */
  show(store: Store, reopen: () => Promise<Store>): Promise<void>
  /** Holds only for stores that keep their data. */
  readonly durable?: true
}

export const NAMESPACE = 'contract'
export const AT: number = Date.parse('2026-03-01T09:00:00Z')

export const ann: Subject = { namespace: NAMESPACE, id: 'ann' }
export const bob: Subject = { namespace: NAMESPACE, id: 'bob' }
export const log: Subject = { namespace: NAMESPACE, id: LOG_OF_NAMESPACE }

/** Ids that confuse paths, SQL, JSON, prototypes and sorting; all of them are valid. */
export const HOSTILE: readonly string[] = [
  '__proto__',
  'constructor',
  'a:b',
  'a',
  'A',
  "'; DROP TABLE users; --",
  '"a"',
  '["contract","ann"]',
  '%',
  '_',
  '../../etc/passwd',
  ' a ',
  'ä',
  'a\u0308',
  '😀',
  '\uffee',
  '🧑‍🚀',
  'x'.repeat(256),
]

export const FACETS: Facets = {
  phase: 'dormant',
  riskLevel: 'low',
  blocked: false,
  capUsed: 0,
  capUsedUntil: null,
  peak: 0,
}

/** What stands for a user where their id must not. The real one is keyed. */
export function tagOf(user: Subject): string {
  return createHash('sha256').update(user.id).digest('hex')
}

/** A commit that writes nothing but the row. By default it creates the user. */
export function commitOf(user: Subject, changes: Partial<Commit> = {}): Commit {
  return {
    expect: null,
    incarnation: 1,
    tag: (changes.expect ?? null) === null ? tagOf(user) : null,
    at: AT,
    seenAt: null,
    facets: FACETS,
    events: [],
    counters: [],
    dropCounters: [],
    records: [],
    trims: [],
    replies: [],
    ...changes,
  }
}

export function write(store: Store, user: Subject, changes: Partial<Commit> = {}): Promise<CommitOutcome> {
  return store.users.commit(user, commitOf(user, changes))
}

/** Writes and expects it to be accepted. Resolves to the new revision. */
export async function accept(store: Store, user: Subject, changes: Partial<Commit> = {}): Promise<number> {
  const outcome = await write(store, user, changes)
  assert.ok(outcome.ok, 'the commit should have been accepted')
  return outcome.revision
}

export function eventOf(sequence: number, changes: Partial<StoredEvent> = {}): StoredEvent {
  return {
    sequence,
    id: `event ${sequence}`,
    at: AT + sequence,
    type: 'test:event',
    body: `{"sequence":${sequence}}`,
    mac: `mac ${sequence}`,
    ...changes,
  }
}

/** Events `from` to `to` with what goes with them. */
export function withEvents(from: number, to: number, changes: Partial<StoredEvent> = {}): Partial<Commit> {
  const events: StoredEvent[] = []
  for (let sequence = from; sequence <= to; sequence++)
    events.push(eventOf(sequence, { ...changes, id: `${changes.id ?? 'event'} ${sequence}` }))
  return { events, folded: { head: { sequence: to, mac: `mac ${to}` }, headMac: `head ${to}`, state: `{"at":${to}}` } }
}

export async function erasureOf(store: Store, user: Subject, incarnation = 1): Promise<Erasure> {
  const row = await store.users.load(log)
  const sequence = (row?.head?.sequence ?? 0) + 1
  return {
    tag: tagOf(user),
    incarnation,
    log: commitOf(log, {
      expect: row?.revision ?? null,
      tag: row === undefined ? tagOf(log) : null,
      ...withEvents(sequence, sequence, { id: 'erased', type: 'user_erased' }),
    }),
  }
}

export function queryOf(changes: Partial<UserQuery> = {}): UserQuery {
  return { namespace: NAMESPACE, now: AT, orderBy: 'id', order: 'ascending', limit: 100, ...changes }
}

export async function idsOf(store: Store, changes: Partial<UserQuery> = {}): Promise<string[]> {
  return (await store.users.list(queryOf(changes))).map(({ id }) => id)
}
