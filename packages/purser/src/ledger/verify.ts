import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import type { AbortSignalLike } from '../core/call-signal.ts'
import { readPage } from '../core/long-read.ts'
import type { Subject } from '../core/subject.ts'
import type { EventBody } from '../journal/event.ts'
import { type ChainId, findBrokenLink, headMac, parseBody } from '../journal/hash-chain.ts'
import { decodeJson } from '../journal/snapshot.ts'
import { type Head, LOG_OF_NAMESPACE, type StoredEvent, type UserRow } from '../storage/commit.ts'
import type { IntegrityError, Note, Verification } from './api.ts'
import type { LedgerDeps } from './deps.ts'
import { foldEvents } from './evolve.ts'
import { NOTE_RECORDS, noteDigest, noteIdOf, noteSequenceOf } from './notes.ts'
import { baseOf, INITIAL_STATE, type LedgerState } from './state.ts'

type VerifyDeps = Pick<LedgerDeps, 'store' | 'keys'>
type VerifyAllDeps = VerifyDeps & { now(): number }

/** An error in one user's data. */
type Problem = Omit<IntegrityError, 'user'>

const EVENTS_PAGE = 250
const NOTES_PAGE = 250
/** Checks of a user who is written all the time, each of which finds another problem. */
const MAX_CHECKS = 16

/**
 * Checks a user's log against the user's row. Events may be committed during the check: when the row has changed, a
 * problem counts only if the next check finds the same one.
 */
export async function verifyUser(deps: VerifyDeps, user: Subject): Promise<Verification> {
  let last: Problem | undefined
  for (let checks = 1; ; checks++) {
    const row = await deps.store.users.load(user)
    const check = new UserCheck(deps, user, row)
    const problem = await check.findProblem()
    const { checked } = check
    if (problem === undefined) return { ok: true, checked }
    const current = await deps.store.users.load(user)
    const isChanged = current?.revision !== row?.revision || current?.incarnation !== row?.incarnation
    if (!isChanged || isDeepStrictEqual(problem, last) || checks === MAX_CHECKS)
      return { ok: false, checked, firstBad: { user: user.id, ...problem } }
    last = problem
  }
}

/** One pass over a user's events and notes, against the row as loaded before. */
class UserCheck {
  readonly #deps: VerifyDeps
  readonly #user: Subject
  readonly #row: UserRow | undefined
  /** Events checked so far. */
  checked = 0

  constructor(deps: VerifyDeps, user: Subject, row: UserRow | undefined) {
    this.#deps = deps
    this.#user = user
    this.#row = row
  }

  /** The first problem, in the order head, events, state, notes. */
  async findProblem(): Promise<Problem | undefined> {
    const row = this.#row
    if (row === undefined || row.head === null) return this.#findWithoutHead()
    const { head } = row
    const stored = parseState(row)
    if (stored === undefined) return { problem: 'The state cannot be read.' }
    const chain = { user: this.#user, incarnation: row.incarnation }
    if (row.state === null || row.headMac !== headMac(this.#deps.keys, chain, head, row.state))
      return { sequence: head.sequence, problem: 'The head or the state was changed.' }
    return (
      (await this.#findRemovedEvent(stored)) ??
      (await this.#findInEvents(row, head, stored)) ??
      (await this.#findInNoteCount(head, stored))
    )
  }

  /** Without a head there must be neither a state nor events. */
  async #findWithoutHead(): Promise<Problem | undefined> {
    const row = this.#row
    if (row !== undefined && (row.state !== null || row.headMac !== null))
      return { problem: 'There is a state, but no head.' }
    const first = await this.#firstEvent()
    return first && { sequence: first.sequence, problem: 'There are events, but no head.' }
  }

  async #findRemovedEvent({ tombstone }: LedgerState): Promise<Problem | undefined> {
    if (tombstone === null) return undefined
    const first = await this.#firstEvent()
    if (first === undefined || first.sequence >= tombstone.firstKept) return undefined
    return { sequence: first.sequence, problem: 'An event that retention removed was restored.' }
  }

  /** Checks every link, the last link against the head, and the folded events against the stored state. */
  async #findInEvents({ incarnation }: UserRow, head: Head, stored: LedgerState): Promise<Problem | undefined> {
    const chain = { user: this.#user, incarnation }
    let state = baseOf(stored.tombstone)
    let previous: Head = { sequence: (stored.tombstone?.firstKept ?? 1) - 1, mac: stored.tombstone?.mac ?? '' }
    while (previous.sequence < head.sequence) {
      const limit = Math.min(EVENTS_PAGE, head.sequence - previous.sequence)
      const after = previous.sequence
      const events = await readPage(() => this.#deps.store.events.oldest(this.#user, { after, limit }))
      if (events.length === 0) return { sequence: previous.sequence + 1, problem: 'Events are missing at the end.' }
      const broken = this.#findBrokenLink(chain, previous, events)
      if (broken !== undefined) return broken
      previous = events.at(-1) as StoredEvent
      const bodies = events.map(({ body }) => parseBody(body))
      state = foldEvents(bodies, state)
      const problem = await this.#findInNotes(bodies)
      if (problem !== undefined) return problem
    }
    const { sequence } = head
    if (previous.sequence !== sequence || previous.mac !== head.mac)
      return { sequence, problem: 'The head is not the last event.' }
    // Through JSON, like the stored state.
    if (!isDeepStrictEqual(JSON.parse(JSON.stringify(state)), stored))
      return { sequence, problem: 'The events do not fold to the state.' }
    return undefined
  }

  #findBrokenLink(chain: ChainId, last: Head, events: readonly StoredEvent[]): Problem | undefined {
    let previous = last
    for (const event of events) {
      const broken = findBrokenLink(this.#deps.keys, { chain, previous }, event)
      if (broken !== undefined) return broken
      previous = event
      this.checked++
    }
    return undefined
  }

  /*
   * The text of a note is stored outside the log, so the chain does not cover it. The note's event does: it contains the
   * id, the author, the time and a keyed digest of the text. A note without an event is found by the number of notes.
   */

  async #findInNotes(bodies: readonly EventBody[]): Promise<Problem | undefined> {
    for (const body of bodies) {
      if (body.type !== 'admin_action' || body.data.action !== 'note') continue
      const { sequence } = body
      const value = await this.#deps.store.users.record(this.#user, NOTE_RECORDS, String(body.data.id))
      if (value === undefined) return { sequence, problem: 'The text of a note is missing.' }
      if (!this.#isNoteOf(body, parseNote(value))) return { sequence, problem: 'A note was changed.' }
    }
    return undefined
  }

  #isNoteOf({ at, actor, data }: EventBody, note: Note | undefined): boolean {
    return (
      note !== undefined &&
      note.id === String(data.id) &&
      note.actor === actor &&
      note.at === at &&
      noteDigest(this.#deps.keys, this.#user, note) === data.digest
    )
  }

  /** Notes added during the check do not count: their events are newer than the head. */
  async #findInNoteCount(head: Head, { notesCount }: LedgerState): Promise<Problem | undefined> {
    const { users } = this.#deps.store
    const end = noteIdOf(head.sequence + 1, '')
    let count = 0
    let last: string | undefined
    for (let isEnd = false; !isEnd; ) {
      const from = { limit: NOTES_PAGE, order: 'ascending', after: last } as const
      const page = await readPage(() => users.records(this.#user, NOTE_RECORDS, from))
      count += page.filter(({ name }) => name < end).length
      last = page.at(-1)?.name ?? last
      isEnd = page.length < NOTES_PAGE
    }
    const newest = last === undefined ? 0 : noteSequenceOf(last)
    if (count === notesCount && (newest <= head.sequence || (await this.#hasEvent(newest)))) return undefined
    return { problem: 'There are more or fewer notes than events of notes.' }
  }

  async #hasEvent(sequence: number): Promise<boolean> {
    return sequence <= ((await this.#deps.store.users.load(this.#user))?.head?.sequence ?? 0)
  }

  async #firstEvent(): Promise<{ readonly sequence: number } | undefined> {
    return (await this.#deps.store.events.oldest(this.#user, { after: 0, limit: 1 }))[0]
  }
}

function parseState(row: UserRow): LedgerState | undefined {
  try {
    return decodeJson(INITIAL_STATE, row.state)
  } catch {
    return undefined
  }
}

function parseNote(value: string): Note | undefined {
  try {
    return JSON.parse(value) as Note
  } catch {
    return undefined
  }
}

const USERS_PAGE = 500
const TAIL_PAGE = 500
const MAX_CACHED_USERS = 10_000

/** Checks all users of a namespace and its own log, then that every event belongs to an existing user. */
export async function verifyAll(
  deps: VerifyAllDeps,
  namespace: string,
  signal: AbortSignalLike | undefined,
): Promise<Verification> {
  const newest = (await deps.store.events.position(namespace)) ?? 0
  let checked = 0
  let firstBad: IntegrityError | undefined
  const verify = async (id: string): Promise<void> => {
    signal?.throwIfAborted()
    const verification = await verifyUser(deps, { namespace, id })
    checked += verification.checked
    firstBad ??= verification.firstBad
  }
  for await (const id of listUserIds(deps, namespace)) await verify(id)
  await verify(LOG_OF_NAMESPACE)
  firstBad ??= await findStrayEvent(deps, namespace, { newest, signal })
  return firstBad === undefined ? { ok: true, checked } : { ok: false, checked, firstBad }
}

async function* listUserIds({ store, now }: VerifyAllDeps, namespace: string): AsyncGenerator<string> {
  for (let after: { value: string; id: string } | undefined; ; ) {
    const query = { namespace, now: now(), orderBy: 'id', order: 'ascending', limit: USERS_PAGE, after } as const
    const page = await readPage(() => store.users.list(query))
    for (const { id } of page) yield id
    const last = page.at(-1)
    if (page.length < USERS_PAGE || last === undefined) return
    after = { value: last.id, id: last.id }
  }
}

/** An event whose user has no row: the row was removed, or the event was inserted. */
async function findStrayEvent(
  { store }: VerifyDeps,
  namespace: string,
  { newest, signal }: { readonly newest: number; readonly signal: AbortSignalLike | undefined },
): Promise<IntegrityError | undefined> {
  const checkedUsers = new LRUCache<string, true>({ max: MAX_CACHED_USERS })
  for (let after = 0; after < newest; ) {
    signal?.throwIfAborted()
    const page = { after, limit: TAIL_PAGE }
    const entries = await readPage(() => store.events.tail(namespace, page))
    for (const { user: id, event } of entries) {
      if (checkedUsers.has(id)) continue
      const user: Subject = { namespace, id }
      const hasRow = (await store.users.load(user)) !== undefined
      if (!hasRow && (await store.events.oldest(user, { after: 0, limit: 1 })).length > 0)
        return { user: id, sequence: event.sequence, problem: 'There is an event of a user that does not exist.' }
      checkedUsers.set(id, true)
    }
    after = entries.at(-1)?.position ?? newest
  }
  return undefined
}
