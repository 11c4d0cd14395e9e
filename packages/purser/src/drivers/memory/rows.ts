import { type Subject, subjectKey } from '../../core/subject.ts'
import type {
  Commit,
  CommitOutcome,
  Counter,
  Facets,
  Head,
  Reply,
  Stamps,
  StoredEvent,
  TailEvent,
  UserRow,
} from '../../storage/store.ts'
import { compareText } from '../text-order.ts'

/** All rows of a memory store. */
export interface Rows {
  readonly users: Map<string, MemoryUser>
  /** The incarnation the next user of a tag is created with, by namespace and tag; absent: 1. */
  readonly incarnations: Map<string, number>
  readonly logs: Map<string, MemoryLog>
  lastPosition: number
}

export interface MemoryUser {
  readonly user: Subject
  readonly incarnation: number
  revision: number
  head: Head | null
  headMac: string | null
  state: string | null
  measured: string | null
  stamps: Stamps
  facets: Facets
  readonly counters: Map<string, Counter>
  /** By kind, then by name. */
  readonly records: Map<string, Map<string, string>>
  readonly replies: Map<string, Reply>
  /** Oldest first. */
  events: StoredEvent[]
}

/** The events of a namespace in the order they were committed. */
export interface MemoryLog {
  entries: TailEvent[]
  readonly positions: Map<string, number>
}

export function createRows(): Rows {
  return { users: new Map(), incarnations: new Map(), logs: new Map(), lastPosition: 0 }
}

export function nextIncarnation(rows: Rows, namespace: string, tag: string): number {
  return rows.incarnations.get(tagKey(namespace, tag)) ?? 1
}

export function tagKey(namespace: string, tag: string): string {
  return JSON.stringify([namespace, tag])
}

export function logOf(rows: Rows, namespace: string): MemoryLog {
  let log = rows.logs.get(namespace)
  if (log === undefined) {
    log = { entries: [], positions: new Map() }
    rows.logs.set(namespace, log)
  }
  return log
}

/** Whether the commit was decided on what is stored. Throws, before anything is written, when it cannot be written. */
export function mayCommit(rows: Rows, user: Subject, commit: Commit): boolean {
  const stored = rows.users.get(subjectKey(user))
  if (commit.expect === null) {
    if (stored !== undefined) return false
    if (commit.tag !== null && nextIncarnation(rows, user.namespace, commit.tag) !== commit.incarnation) return false
  } else if (stored?.revision !== commit.expect || stored.incarnation !== commit.incarnation) {
    return false
  }
  refuseImpossible(rows, user, commit)
  return true
}

/** What the schema of a database refuses by its constraints. */
function refuseImpossible(rows: Rows, user: Subject, commit: Commit): void {
  let last = rows.users.get(subjectKey(user))?.events.at(-1)?.sequence ?? 0
  const ids = new Set<string>()
  for (const event of commit.events) {
    if (event.sequence <= last) throw new Error(`Event ${event.sequence} is already stored.`)
    if (ids.has(event.id) || logOf(rows, user.namespace).positions.has(event.id))
      throw new Error(`An event with the id '${event.id}' is already stored.`)
    last = event.sequence
    ids.add(event.id)
  }
  const { capUsed, peak } = commit.facets
  for (const value of [commit.at, capUsed, peak, ...commit.counters.map((counter) => counter.value)])
    if (!Number.isFinite(value)) throw new Error(`${value} is not a number that can be stored.`)
}

/** Writes a commit that `mayCommit` has let pass. Nothing here can fail half-way. */
export function applyCommit(rows: Rows, user: Subject, commit: Commit): CommitOutcome {
  const key = subjectKey(user)
  const stored = rows.users.get(key) ?? newUser(user, commit)
  rows.users.set(key, stored)
  stored.revision++
  stored.stamps = { createdAt: stored.stamps.createdAt, updatedAt: commit.at, seenAt: commit.seenAt }
  stored.facets = commit.facets
  if (commit.folded !== undefined) {
    stored.head = commit.folded.head
    stored.headMac = commit.folded.headMac
    stored.state = commit.folded.state
  }
  if (commit.measured !== undefined) stored.measured = commit.measured
  for (const counter of commit.counters) stored.counters.set(counterKey(counter), counter)
  for (const counter of commit.dropCounters) stored.counters.delete(counterKey(counter))
  writeRecords(stored, commit)
  for (const reply of commit.replies) stored.replies.set(reply.key, reply)
  appendEvents(rows, stored, commit.events)
  if (commit.dropEventsBelow !== undefined) dropEvents(rows, stored, commit.dropEventsBelow)
  return { ok: true, revision: stored.revision }
}

function newUser(user: Subject, commit: Commit): MemoryUser {
  return {
    user: { namespace: user.namespace, id: user.id },
    incarnation: commit.incarnation,
    revision: 0,
    head: null,
    headMac: null,
    state: null,
    measured: null,
    stamps: { createdAt: commit.at, updatedAt: commit.at, seenAt: null },
    facets: commit.facets,
    counters: new Map(),
    records: new Map(),
    replies: new Map(),
    events: [],
  }
}

function writeRecords(stored: MemoryUser, commit: Commit): void {
  for (const { kind, name, value } of commit.records) {
    let named = stored.records.get(kind)
    if (named === undefined) {
      named = new Map()
      stored.records.set(kind, named)
    }
    if (value === null) named.delete(name)
    else named.set(name, value)
  }
  for (const { kind, keep } of commit.trims) {
    const named = stored.records.get(kind)
    if (named === undefined || named.size <= keep) continue
    const lowest = [...named.keys()].sort(compareText).slice(0, named.size - keep)
    for (const name of lowest) named.delete(name)
  }
}

function appendEvents(rows: Rows, stored: MemoryUser, events: readonly StoredEvent[]): void {
  const log = logOf(rows, stored.user.namespace)
  for (const event of events) {
    const position = ++rows.lastPosition
    stored.events.push(event)
    log.entries.push({ position, user: stored.user.id, event })
    log.positions.set(event.id, position)
  }
}

/** Removes a user's events below a sequence from their own list and from the namespace's. */
export function dropEvents(rows: Rows, stored: MemoryUser, below: number): void {
  const dropped = new Set(stored.events.filter((event) => event.sequence < below))
  if (dropped.size === 0) return
  stored.events = stored.events.filter((event) => !dropped.has(event))
  const log = logOf(rows, stored.user.namespace)
  log.entries = log.entries.filter((entry) => !dropped.has(entry.event))
  for (const event of dropped) log.positions.delete(event.id)
}

export function rowOf(stored: MemoryUser): UserRow {
  const { incarnation, revision, head, headMac, state, measured, stamps } = stored
  return { incarnation, revision, head, headMac, state, measured, stamps, counters: [...stored.counters.values()] }
}

function counterKey({ limit, window }: { readonly limit: string; readonly window: string }): string {
  return JSON.stringify([limit, window])
}
