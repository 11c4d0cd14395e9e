import type { ListedUser, Overview, UserOrder, UserQuery } from '../../storage/store.ts'
import { NEVER_SEEN } from '../instants.ts'
import { afterPrefix, compareText } from '../text-order.ts'
import type { Connection } from './connection.ts'
import type { Keys, LedgerKeys } from './keys.ts'
import { USER_FIELDS, userOf } from './rows.ts'
import { AFTER } from './scripts/read.ts'
import { SWEEP_WINDOWS } from './scripts/sweep.ts'

/*
 * One page of users. Either the users that match one filter are few: they are all read, and sorted here. Or the order is
 * walked in steps, and users that do not match are left out; with many matches, a few steps find a page. No step keeps the
 * server busy for more than some milliseconds.
 */

const MAX_CANDIDATES = 5_000
const MIN_STEP = 200
const MAX_STEP = 2_000
/** Windows that ended this long before a query are removed from the order by used cap. */
const ENDED_MS = 3_600_000
const MAX_SWEPT_WINDOWS = 2_000

interface Candidate {
  readonly id: string
  readonly value: string | number
}

/** Users after a cursor in the order of the query; `next` continues. */
interface Step {
  readonly candidates: readonly Candidate[]
  readonly next: Cursor | undefined
}

/** `zero`: among the users that are not in the sorted set, whose value is 0. */
interface Cursor {
  readonly value: string | number
  readonly id: string
  readonly isZero: boolean
}

export class UserList {
  readonly #connection: Connection
  readonly #keys: Keys

  constructor(connection: Connection, keys: Keys) {
    this.#connection = connection
    this.#keys = keys
  }

  async page(query: UserQuery): Promise<readonly ListedUser[]> {
    const { ledger } = this.#keys.of(query.namespace)
    if (query.limit <= 0) return []
    const read = new PageRead(this.#connection, ledger, query)
    if (query.orderBy === 'capUsed') await read.sweepWindows()
    const few = await read.fewCandidates()
    const { offset = 0 } = query
    const users: ListedUser[] = []
    if (few !== undefined) {
      for (let from = offset; users.length < query.limit && from < few.length; from += query.limit)
        users.push(...(await this.#load(query, few.slice(from, from + query.limit))))
      return users.slice(0, query.limit)
    }
    let cursor: Cursor | undefined = read.start()
    let passed = 0
    for (let size = Math.max(MIN_STEP, query.limit); cursor !== undefined; size = Math.min(2 * size, MAX_STEP)) {
      const step: Step = await read.step(cursor, size)
      const matching = await read.matching(step.candidates)
      const skipped = Math.min(offset - passed, matching.length)
      passed += skipped
      users.push(...(await this.#load(query, matching.slice(skipped, skipped + query.limit - users.length))))
      if (users.length >= query.limit) break
      cursor = step.next
    }
    return users
  }

  async count({ after: _, ...filters }: UserQuery): Promise<number> {
    // The order with a step for every user, from the first one on.
    const query = { ...filters, orderBy: 'id', order: 'ascending' } as const
    const read = new PageRead(this.#connection, this.#keys.of(query.namespace).ledger, query)
    const few = await read.fewCandidates()
    if (few !== undefined) return few.length
    let count = 0
    let cursor: Cursor | undefined = read.start()
    while (cursor !== undefined) {
      const step: Step = await read.step(cursor, MAX_STEP)
      count += (await read.matching(step.candidates)).length
      cursor = step.next
    }
    return count
  }

  /** The rows of candidates; a user who was erased meanwhile is left out. */
  async #load({ namespace }: UserQuery, candidates: readonly Candidate[]): Promise<readonly ListedUser[]> {
    const rows = await Promise.all(
      candidates.map(({ id }) => {
        const key = this.#keys.user({ namespace, id }).user
        return this.#connection.run<readonly (string | null)[]>(key, ['HMGET', key, ...USER_FIELDS])
      }),
    )
    return candidates.flatMap(({ id, value }, index) => {
      const row = userOf(rows[index] ?? [])
      return row === undefined ? [] : [{ id, value: value === NEVER_SEEN ? null : value, row }]
    })
  }
}

/** The reads of one page. */
class PageRead {
  readonly #connection: Connection
  readonly #ledger: LedgerKeys
  readonly #query: UserQuery
  readonly #isAscending: boolean
  /** No user with a lower value in the order of the query matches. */
  readonly #minValue: number | undefined

  constructor(connection: Connection, ledger: LedgerKeys, query: UserQuery) {
    this.#connection = connection
    this.#ledger = ledger
    this.#query = query
    this.#isAscending = query.order === 'ascending'
    this.#minValue = minValueOf(query)
  }

  async sweepWindows(): Promise<void> {
    const { cap, capUntil } = this.#ledger
    const args = [String(this.#query.now - ENDED_MS), String(MAX_SWEPT_WINDOWS)]
    await this.#connection.eval(SWEEP_WINDOWS, [cap, capUntil], args)
  }

  /** All matching users after the cursor in the order of the query, if one filter matches few of them. */
  async fewCandidates(): Promise<readonly Candidate[] | undefined> {
    const sources = this.#sources()
    if (sources.length === 0) return undefined
    const [users, ...sizes] = await Promise.all([
      this.#count('ZCARD', this.#ledger.ids, []),
      ...sources.map(({ key, count, range }) => this.#count(count, key, range)),
    ])
    const size = Math.min(...sizes)
    const source = sources[sizes.indexOf(size)]
    if (source === undefined || size > MAX_CANDIDATES || size * size > this.#query.limit * users + MIN_STEP ** 2)
      return undefined
    const { key, read, range, prefix } = source
    const members = await this.#connection.run<readonly string[]>(key, [read, key, ...range])
    const ids = members.map((member) => member.slice(prefix.length))
    const { after } = this.#query
    const compare = this.#compare
    const cursor = after && { id: after.id, value: after.value ?? NEVER_SEEN }
    const candidates = (await this.matching(await this.#valued(ids))).filter(
      (candidate) => cursor === undefined || compare(candidate, cursor) > 0,
    )
    return candidates.sort(compare)
  }

  /** Where the walk begins. */
  start(): Cursor {
    const { after, orderBy } = this.#query
    if (after === undefined && this.#isAscending && this.#minValue !== undefined)
      return { value: this.#minValue, id: '', isZero: false }
    if (after === undefined)
      return { value: this.#isAscending ? '-inf' : '+inf', id: '', isZero: this.#isAscending && isPartial(orderBy) }
    const value = after.value ?? NEVER_SEEN
    return { value, id: after.id, isZero: isPartial(orderBy) && value === 0 }
  }

  /** The next users of the order, whether they match or not. */
  async step(cursor: Cursor, size: number): Promise<Step> {
    const { orderBy } = this.#query
    if (orderBy === 'id') return this.#stepByText(cursor, size)
    if (!cursor.isZero) {
      const step = await this.#stepByScore(cursor, size)
      if (this.#isBelowMinimum(step)) return { ...step, next: undefined }
      if (step.next !== undefined || this.#isAscending || !isPartial(orderBy)) return step
      return { ...step, next: { value: 0, id: '', isZero: true } }
    }
    const step = await this.#stepByText(cursor, size)
    const valued = await this.#valued(step.candidates.map(({ id }) => id))
    const candidates = valued.filter(({ value }) => value === 0)
    if (step.next !== undefined) return { candidates, next: { ...step.next, value: 0 } }
    return { candidates, next: this.#isAscending ? { value: '-inf', id: '', isZero: false } : undefined }
  }

  /** Leaves out the users that do not match the filters. */
  async matching(candidates: readonly Candidate[]): Promise<readonly Candidate[]> {
    if (candidates.length === 0) return []
    const { phase, riskLevel, blocked, seenSince, seenBefore, capUsed, prefix, contains, now } = this.#query
    const { facets, seen, cap, capUntil } = this.#ledger
    const ids = candidates.map(({ id }) => id)
    const hasFacet = async (name: string): Promise<boolean[]> =>
      (
        await this.#scores(
          facets,
          ids.map((id) => name + id),
        )
      ).map((score) => score !== undefined)
    const tests: Promise<readonly boolean[]>[] = []
    if (phase !== undefined) tests.push(hasFacet(`phase:${encodeURIComponent(phase)}:`))
    if (riskLevel !== undefined) tests.push(hasFacet(`risk:${encodeURIComponent(riskLevel)}:`))
    if (blocked !== undefined) tests.push(hasFacet('blocked:1:').then((list) => list.map((is) => is === blocked)))
    if (seenSince !== undefined)
      tests.push(this.#scores(seen, ids).then((list) => list.map((at) => at !== undefined && at >= seenSince)))
    if (seenBefore !== undefined)
      tests.push(this.#scores(seen, ids).then((list) => list.map((at) => at === undefined || at < seenBefore)))
    if (capUsed !== undefined && capUsed > 0)
      tests.push(
        usedPart(this.#scores(cap, ids), this.#scores(capUntil, ids), now).then((list) =>
          list.map((used) => used >= capUsed),
        ),
      )
    const results = await Promise.all(tests)
    return candidates.filter(
      ({ id }, index) =>
        (prefix === undefined || id.startsWith(prefix)) &&
        (contains === undefined || id.includes(contains)) &&
        results.every((result) => result[index]),
    )
  }

  /** Sets of users that match one filter of the query. */
  #sources(): readonly Source[] {
    const { phase, riskLevel, blocked, seenSince, capUsed, prefix = '', orderBy } = this.#query
    const { facets, ids, seen, cap } = this.#ledger
    const sources: Source[] = []
    if (phase !== undefined) sources.push(textSource(facets, `phase:${encodeURIComponent(phase)}:`, prefix))
    if (riskLevel !== undefined) sources.push(textSource(facets, `risk:${encodeURIComponent(riskLevel)}:`, prefix))
    if (blocked === true) sources.push(textSource(facets, 'blocked:1:', prefix))
    if (prefix !== '' && orderBy !== 'id') sources.push(textSource(ids, '', prefix))
    if (seenSince !== undefined) sources.push(scoreSource(seen, seenSince))
    if (capUsed !== undefined && capUsed > 0) sources.push(scoreSource(cap, capUsed))
    return sources
  }

  async #stepByText({ id }: Cursor, size: number): Promise<Step> {
    const { ids } = this.#ledger
    const { prefix = '', orderBy } = this.#query
    const [first, last] = textRange(orderBy === 'id' ? prefix : '')
    const cursor = id === '' ? undefined : `(${id}`
    const range = this.#isAscending
      ? ['ZRANGEBYLEX', ids, later(cursor, first), last]
      : ['ZREVRANGEBYLEX', ids, earlier(cursor, last), first]
    const page = await this.#connection.run<readonly string[]>(ids, [...range, 'LIMIT', '0', String(size)])
    const candidates = page.map((member) => ({ id: member, value: member }))
    return { candidates, next: page.length < size ? undefined : { value: '', id: page.at(-1) ?? '', isZero: true } }
  }

  async #stepByScore({ value, id }: Cursor, size: number): Promise<Step> {
    const { orderBy, now } = this.#query
    const key = this.#ledger[SETS[orderBy as keyof typeof SETS]]
    const page = await this.#connection.eval<readonly string[]>(
      AFTER,
      [key],
      [String(value), id, this.#isAscending ? '' : 'REV', String(size)],
    )
    const all: Candidate[] = []
    for (let index = 0; index < page.length; index += 2)
      all.push({ id: page[index] as string, value: Number(page[index + 1]) })
    const last = all.at(-1)
    const next = all.length < size || last === undefined ? undefined : { ...last, isZero: false }
    if (orderBy !== 'capUsed' || all.length === 0) return { candidates: all, next }
    const ends = await this.#scores(
      this.#ledger.capUntil,
      all.map((candidate) => candidate.id),
    )
    return { candidates: all.filter((_, index) => (ends[index] ?? 0) > now), next }
  }

  /** Descending, no later user matches. */
  #isBelowMinimum({ next }: Step): boolean {
    if (this.#isAscending || this.#minValue === undefined) return false
    return next === undefined || Number(next.value) < this.#minValue
  }

  /** Users with their values in the order of the query. */
  async #valued(ids: readonly string[]): Promise<readonly Candidate[]> {
    const { orderBy, now } = this.#query
    if (orderBy === 'id' || ids.length === 0) return ids.map((id) => ({ id, value: id }))
    const scores = this.#scores(this.#ledger[SETS[orderBy]], ids)
    const values =
      orderBy === 'capUsed'
        ? await usedPart(scores, this.#scores(this.#ledger.capUntil, ids), now)
        : (await scores).map((score) => score ?? 0)
    return ids.map((id, index) => ({ id, value: values[index] as number }))
  }

  async #scores(key: string, members: readonly string[]): Promise<readonly (number | undefined)[]> {
    const scores = await this.#connection.run<readonly (string | null)[]>(key, ['ZMSCORE', key, ...members])
    return scores.map((score) => (score === null ? undefined : Number(score)))
  }

  #count(command: string, key: string, range: readonly string[]): Promise<number> {
    return this.#connection.run<number>(key, [command, key, ...range])
  }

  readonly #compare = (a: Candidate, b: Candidate): number => {
    const byValue = typeof a.value === 'number' && typeof b.value === 'number' ? a.value - b.value : 0
    return (this.#isAscending ? 1 : -1) * (byValue || compareText(a.id, b.id))
  }
}

/** The sorted sets of the orders. */
const SETS = { seenAt: 'seen', createdAt: 'created', peak: 'peak', capUsed: 'cap' } as const satisfies Record<
  Exclude<UserOrder, 'id'>,
  keyof LedgerKeys
>

function minValueOf({ orderBy, seenSince, capUsed }: UserQuery): number | undefined {
  if (orderBy === 'seenAt') return seenSince
  return orderBy === 'capUsed' && capUsed !== undefined && capUsed > 0 ? capUsed : undefined
}

/** The sorted set has only the users whose value is above 0. */
function isPartial(orderBy: UserOrder): boolean {
  return orderBy === 'peak' || orderBy === 'capUsed'
}

interface Source {
  readonly key: string
  readonly count: 'ZLEXCOUNT' | 'ZCOUNT'
  readonly read: 'ZRANGEBYLEX' | 'ZRANGEBYSCORE'
  readonly range: readonly string[]
  /** What the members begin with, before the id. */
  readonly prefix: string
}

function textSource(key: string, prefix: string, idPrefix: string): Source {
  return { key, count: 'ZLEXCOUNT', read: 'ZRANGEBYLEX', range: textRange(prefix + idPrefix), prefix }
}

function scoreSource(key: string, from: number): Source {
  return { key, count: 'ZCOUNT', read: 'ZRANGEBYSCORE', range: [String(from), '+inf'], prefix: '' }
}

/** The range of all texts that begin with a prefix. */
function textRange(prefix: string): readonly [string, string] {
  const end = prefix === '' ? undefined : afterPrefix(prefix)
  return [prefix === '' ? '-' : `[${prefix}`, end === undefined ? '+' : `(${end}`]
}

/** Of two lower bounds of a range by text, the one that begins later. */
function later(cursor: string | undefined, first: string): string {
  if (cursor === undefined) return first
  return first === '-' || compareText(cursor.slice(1), first.slice(1)) >= 0 ? cursor : first
}

function earlier(cursor: string | undefined, last: string): string {
  if (cursor === undefined) return last
  return last === '+' || compareText(cursor.slice(1), last.slice(1)) <= 0 ? cursor : last
}

/** In a window that has ended, nothing is used. */
async function usedPart(
  scores: Promise<readonly (number | undefined)[]>,
  ends: Promise<readonly (number | undefined)[]>,
  now: number,
): Promise<readonly number[]> {
  const [used, until] = await Promise.all([scores, ends])
  return used.map((part, index) => ((until[index] ?? 0) > now ? (part ?? 0) : 0))
}

/** Reads the numbers that every commit keeps. */
export async function countUsers(connection: Connection, { counts }: LedgerKeys): Promise<Overview> {
  const fields = await connection.run<readonly string[]>(counts, ['HGETALL', counts])
  const phases: [string, number][] = []
  const riskLevels: [string, number][] = []
  const numbers = new Map<string, number>()
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string
    const amount = Number(fields[index + 1])
    if (name.startsWith('phase:')) phases.push([decodeURIComponent(name.slice('phase:'.length)), amount])
    else if (name.startsWith('risk:')) riskLevels.push([decodeURIComponent(name.slice('risk:'.length)), amount])
    else numbers.set(name, amount)
  }
  return {
    users: numbers.get('users') ?? 0,
    blocked: numbers.get('blocked:1') ?? 0,
    phases: Object.fromEntries(phases),
    riskLevels: Object.fromEntries(riskLevels),
  }
}
