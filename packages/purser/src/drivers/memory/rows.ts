import { type Subject, subjectKey } from '../../core/subject.ts'
import type {
  Commit,
  CommitOutcome,
  Facets,
  Head,
  Recorded,
  Reply,
  Stamps,
  StoredEvent,
  UserRow,
} from '../../storage/commit.ts'
import type { TailEvent } from '../../storage/store.ts'
import { addAmounts, type SumIncrement } from '../../storage/sum-store.ts'
import type { StoredTurn } from '../../storage/turn-store.ts'
import { compareText } from '../text-order.ts'

/** All rows of a memory store. */
export interface Rows {
  readonly users: Map<string, MemoryUser>
  /** The incarnation that a new user of a tag starts with, by namespace and tag; absent: 1. */
  readonly incarnations: Map<string, number>
  readonly logs: Map<string, MemoryLog>
  /** By namespace. */
  readonly sums: Map<string, MemorySums>
  lastPosition: number
}

/** Rows of sums by their key. */
export type MemorySums = Map<string, SumIncrement>

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
  usage: string | null
  /** By kind, then by name. */
  readonly records: Map<string, Map<string, string>>
  readonly replies: Map<string, Reply>
  /** Oldest first. */
  events: StoredEvent[]
  /** By id. */
  readonly turns: Map<string, StoredTurn>
  readonly sums: MemorySums
}

/** The events of a namespace in commit order. */
export interface MemoryLog {
  entries: TailEvent[]
  readonly positions: Map<string, number>
}

export function createRows(): Rows {
  return { users: new Map(), incarnations: new Map(), logs: new Map(), sums: new Map(), lastPosition: 0 }
}

export function nextIncarnation(rows: Rows, namespace: string, tag: string): number {
  return rows.incarnations.get(tagKey(namespace, tag)) ?? 1
}

/** Removes a user with all rows, and sets the incarnation that a new user of the tag starts with. */
export function removeUser(
  rows: Rows,
  user: Subject,
  next: { readonly tag: string; readonly incarnation: number },
): void {
  const stored = rows.users.get(subjectKey(user))
  rows.incarnations.set(tagKey(user.namespace, next.tag), next.incarnation)
  rows.users.delete(subjectKey(user))
  if (stored !== undefined) dropEvents(rows, stored, Number.POSITIVE_INFINITY)
}

export function setIncarnation(
  rows: Rows,
  { namespace, tag, next }: { readonly namespace: string; readonly tag: string; readonly next: number },
): void {
  const key = tagKey(namespace, tag)
  if (!rows.incarnations.has(key)) rows.incarnations.set(key, next)
}

export function incarnationsOf(rows: Rows): { namespace: string; tag: string; next: number }[] {
  return [...rows.incarnations].map(([key, next]) => {
    const [namespace, tag] = JSON.parse(key) as [string, string]
    return { namespace, tag, next }
  })
}

function tagKey(namespace: string, tag: string): string {
  return JSON.stringify([namespace, tag])
}

function getLog(rows: Rows, namespace: string): MemoryLog {
  let log = rows.logs.get(namespace)
  if (log === undefined) {
    log = { entries: [], positions: new Map() }
    rows.logs.set(namespace, log)
  }
  return log
}

/**
 * Whether the commit was decided on the stored revision and incarnation. Throws, before anything is written, when it
 * violates a constraint.
 */
export function canCommit(rows: Rows, user: Subject, commit: Commit): boolean {
  const stored = rows.users.get(subjectKey(user))
  if (commit.expect === null) {
    if (stored !== undefined) return false
    if (commit.tag !== null && nextIncarnation(rows, user.namespace, commit.tag) !== commit.incarnation) return false
  } else if (stored?.revision !== commit.expect || stored.incarnation !== commit.incarnation) {
    return false
  }
  checkConstraints(rows, user, commit)
  return true
}

/** The constraints that the schema of a database has. */
function checkConstraints(rows: Rows, user: Subject, commit: Commit): void {
  let last = rows.users.get(subjectKey(user))?.events.at(-1)?.sequence ?? 0
  const ids = new Set<string>()
  for (const event of commit.events) {
    if (event.sequence <= last) throw new Error(`Event ${event.sequence} is already stored.`)
    if (ids.has(event.id) || getLog(rows, user.namespace).positions.has(event.id))
      throw new Error(`An event with the id '${event.id}' is already stored.`)
    last = event.sequence
    ids.add(event.id)
  }
  const { capUsed, peak } = commit.facets
  for (const value of [commit.at, capUsed, peak])
    if (!Number.isFinite(value)) throw new Error(`Cannot store the number ${value}.`)
}

/** Writes a commit that passed `canCommit`. Nothing here throws, so a commit is never half written. */
export function applyCommit(rows: Rows, user: Subject, commit: Commit): CommitOutcome {
  const key = subjectKey(user)
  const stored = rows.users.get(key) ?? createUser(user, commit)
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
  if (commit.usage !== undefined) stored.usage = commit.usage
  writeRecords(stored, commit)
  for (const reply of commit.replies) stored.replies.set(reply.key, reply)
  appendEvents(rows, stored, commit.events)
  if (commit.dropEventsBelow !== undefined) dropEvents(rows, stored, commit.dropEventsBelow)
  if (commit.recorded !== undefined) writeRecorded(rows, stored, commit.recorded)
  return { ok: true, revision: stored.revision }
}

function createUser(user: Subject, commit: Commit): MemoryUser {
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
    usage: null,
    records: new Map(),
    replies: new Map(),
    events: [],
    turns: new Map(),
    sums: new Map(),
  }
}

function writeRecorded(rows: Rows, stored: MemoryUser, { turns, keepTurns, userSums, sums }: Recorded): void {
  for (const turn of turns) stored.turns.set(turn.id, turn)
  if (keepTurns !== undefined && stored.turns.size > keepTurns)
    for (const id of [...stored.turns.keys()].sort(compareText).slice(0, stored.turns.size - keepTurns))
      stored.turns.delete(id)
  addToSums(stored.sums, userSums)
  addToSums(sumsOf(rows, stored.user.namespace), sums)
}

export function sumsOf(rows: Rows, namespace: string): MemorySums {
  const sums = rows.sums.get(namespace) ?? new Map<string, SumIncrement>()
  rows.sums.set(namespace, sums)
  return sums
}

export function sumName({ day, hour, key }: Pick<SumIncrement, 'day' | 'hour' | 'key'>): string {
  return JSON.stringify([day, hour, key])
}

export function addToSums(sums: MemorySums, increments: readonly SumIncrement[]): void {
  for (const increment of increments) {
    const { day, hour, key, amounts } = increment
    const name = sumName(increment)
    const row = sums.get(name)
    sums.set(name, row === undefined ? increment : { day, hour, key, amounts: addAmounts(row.amounts, amounts) })
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

export function appendEvents(rows: Rows, stored: MemoryUser, events: readonly StoredEvent[]): void {
  const log = getLog(rows, stored.user.namespace)
  for (const event of events) {
    const position = ++rows.lastPosition
    stored.events.push(event)
    log.entries.push({ position, user: stored.user.id, event })
    log.positions.set(event.id, position)
  }
}

/** Removes the events of a user below a sequence, from the user's list and from the namespace's log. */
function dropEvents(rows: Rows, stored: MemoryUser, below: number): void {
  const dropped = new Set(stored.events.filter((event) => event.sequence < below))
  if (dropped.size === 0) return
  stored.events = stored.events.filter((event) => !dropped.has(event))
  const log = getLog(rows, stored.user.namespace)
  log.entries = log.entries.filter((entry) => !dropped.has(entry.event))
  for (const event of dropped) log.positions.delete(event.id)
}

export function rowOf(stored: MemoryUser): UserRow {
  const { incarnation, revision, head, headMac, state, measured, usage, stamps } = stored
  return { incarnation, revision, head, headMac, state, measured, usage, stamps }
}
