import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Subject } from '../../core/subject.ts'
import {
  type Commit,
  type CommitOutcome,
  type Erasure,
  type Facets,
  LOG_OF_NAMESPACE,
  type StoredEvent,
} from '../../storage/commit.ts'
import type { Store, UserQuery } from '../../storage/store.ts'

/** One test of the contract. */
export interface ContractTest {
  readonly name: string
  /** `store` is empty. `reopen` closes it and opens the same data again; for durable stores only. */
  run(store: Store, reopen: () => Promise<Store>): Promise<void>
  /** Runs for durable stores only. */
  readonly durable?: true
}

export const NAMESPACE = 'contract'
export const AT: number = Date.parse('2026-03-01T09:00:00Z')

export const ann: Subject = { namespace: NAMESPACE, id: 'ann' }
export const bob: Subject = { namespace: NAMESPACE, id: 'bob' }
export const namespaceLog: Subject = { namespace: NAMESPACE, id: LOG_OF_NAMESPACE }

/** Valid ids with special meanings in paths, SQL, JSON, prototypes or sorting. */
export const HOSTILE_IDS: readonly string[] = [
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

/** Stands for the keyed hash of a user id. */
export function tagOf(user: Subject): string {
  return createHash('sha256').update(user.id).digest('hex')
}

/** A commit that writes only the user's row. By default it creates the user. */
export function createCommit(user: Subject, changes: Partial<Commit> = {}): Commit {
  return {
    expect: null,
    incarnation: 1,
    tag: (changes.expect ?? null) === null ? tagOf(user) : null,
    at: AT,
    seenAt: null,
    facets: FACETS,
    events: [],
    records: [],
    trims: [],
    replies: [],
    ...changes,
  }
}

export function tryCommit(store: Store, user: Subject, changes: Partial<Commit> = {}): Promise<CommitOutcome> {
  return store.users.commit(user, createCommit(user, changes))
}

/** Commits, and asserts that the commit is accepted. Resolves to the new revision. */
export async function mustCommit(store: Store, user: Subject, changes: Partial<Commit> = {}): Promise<number> {
  const outcome = await tryCommit(store, user, changes)
  assert.ok(outcome.ok, 'the commit was refused')
  return outcome.revision
}

export function createEvent(sequence: number, changes: Partial<StoredEvent> = {}): StoredEvent {
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

/** Events `from` to `to` with the folded state that belongs to them. */
export function withEvents(from: number, to: number, changes: Partial<StoredEvent> = {}): Partial<Commit> {
  const events: StoredEvent[] = []
  for (let sequence = from; sequence <= to; sequence++)
    events.push(createEvent(sequence, { ...changes, id: `${changes.id ?? 'event'} ${sequence}` }))
  return { events, folded: { head: { sequence: to, mac: `mac ${to}` }, headMac: `head ${to}`, state: `{"at":${to}}` } }
}

export async function createErasure(store: Store, user: Subject, incarnation = 1): Promise<Erasure> {
  const row = await store.users.load(namespaceLog)
  const sequence = (row?.head?.sequence ?? 0) + 1
  return {
    tag: tagOf(user),
    incarnation,
    log: createCommit(namespaceLog, {
      expect: row?.revision ?? null,
      tag: row === undefined ? tagOf(namespaceLog) : null,
      ...withEvents(sequence, sequence, { id: 'erased', type: 'user_erased' }),
    }),
  }
}

export function createQuery(changes: Partial<UserQuery> = {}): UserQuery {
  return { namespace: NAMESPACE, now: AT, orderBy: 'id', order: 'ascending', limit: 100, ...changes }
}

export async function listIds(store: Store, changes: Partial<UserQuery> = {}): Promise<string[]> {
  return (await store.users.list(createQuery(changes))).map(({ id }) => id)
}
