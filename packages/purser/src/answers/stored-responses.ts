import { parseExactJson } from '../core/exact-json.ts'
import type { Subject } from '../core/subject.ts'
import { isObject } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { JournalPort, RecordReader } from '../journal/api.ts'

/*
 * Responses that a client may refer to later by their ids. Each one is a record of its user and has the whole conversation
 * up to it, as a client without this would send it again, so that none depends on another. The index of a user has what
 * the limits are decided on: ids, sizes and the ends of their times.
 */

/** Of a response and everything before it. */
const MAX_RESPONSE_BYTES = 2_097_152
/** Of all kept responses of one user. */
const MAX_USER_RESPONSES_BYTES = 16_777_216

const RESPONSES = 'response'
const INDEX = 'response_index'
const PAGE_SIZE = 20
/** Responses that are read to find items. Each one has the items before it as well. */
const MAX_SEARCHED = 20

/** Ids that this module gives out. Any other id is not looked up. */
const RESPONSE_ID = /^resp_[0-9a-f]{32}$/

/** A response, and the input that led to it. */
export interface StoredResponse {
  /** `resp_` and 32 hexadecimal digits. */
  readonly id: string
  /** As its client got it. */
  readonly response: Readonly<Record<string, unknown>>
  /** The items of the conversation before its output. */
  readonly input: readonly unknown[]
}

export interface KeepOptions {
  readonly ttlMs: number
  /** The newest stay. */
  readonly maxPerUser: number
  /** Of the user when the turn began: nothing is kept for one who was erased since. */
  readonly incarnation: number
}

export interface UserResponses {
  /**
   * Keeps a response, and removes the oldest ones beyond the limits.
   *
   * @returns False, and nothing is kept, if it is larger than 2 MiB.
   * @throws {PurserError} `user_erased`, `store_unavailable`
   */
  keep(response: StoredResponse, options: KeepOptions): Promise<boolean>
  /**
   * @returns Undefined for an id that is unknown, expired or another user's.
   * @throws {PurserError} `store_unavailable`
   */
  get(id: string): Promise<StoredResponse | undefined>
  /**
   * Finds output items of kept responses by their ids.
   *
   * @returns The items that were found. At most 20 responses are searched.
   * @throws {PurserError} `store_unavailable`
   */
  findItems(ids: ReadonlySet<string>): Promise<ReadonlyMap<string, unknown>>
  /**
   * @returns Whether it was there.
   * @throws {PurserError} `store_unavailable`
   */
  delete(id: string): Promise<boolean>
  exportRows(): AsyncIterable<ResponseExport>
}

export interface ResponseExport {
  readonly part: 'answers'
  readonly type: 'response'
  /** When it was kept, ISO 8601, UTC. */
  readonly at: string
  readonly value: {
    readonly id: string
    readonly response: unknown
    readonly input: readonly unknown[]
    readonly expiresAt: string
  }
}

export interface StoredResponsesDeps {
  readonly journal: JournalPort
  readonly reader: RecordReader
  /** Wall clock, epoch ms. */
  now(): number
}

/** A row of the index, oldest first. */
interface Entry {
  readonly id: string
  readonly expiresAt: number
  readonly bytes: number
  /** Ids of its output items. */
  readonly items: readonly string[]
}

export function createUserResponses({ journal, reader, now }: StoredResponsesDeps, user: Subject): UserResponses {
  async function get(id: string): Promise<StoredResponse | undefined> {
    if (!RESPONSE_ID.test(id)) return undefined
    const value = await reader.record(user, RESPONSES, id)
    const stored = value === undefined ? undefined : parseRecord(value)
    return stored === undefined || stored.expiresAt <= now() ? undefined : { id, ...stored }
  }

  return {
    async keep({ id, response, input }, { ttlMs, maxPerUser, incarnation }) {
      const at = now()
      const expiresAt = at + ttlMs
      const value = JSON.stringify({ v: 1, at, expiresAt, input, response } satisfies ResponseRecord)
      const bytes = Buffer.byteLength(value)
      if (bytes > MAX_RESPONSE_BYTES) return false
      const items = [...itemsById(outputOf(response)).keys()]
      return journal.write(user, {
        reads: [{ kind: INDEX, name: '' }],
        incarnation,
        isAudited: false,
        decide(view) {
          const entries = parseIndex(view.record(INDEX, ''))
          const rest = withinLimits(entries, { now: view.now, maxPerUser, bytes })
          const removed = entries.filter((entry) => !rest.includes(entry))
          const records = [
            ...removed.map((entry) => ({ kind: RESPONSES, name: entry.id, value: null })),
            { kind: RESPONSES, name: id, value },
            { kind: INDEX, name: '', value: formatIndex([...rest, { id, expiresAt, bytes, items }]) },
          ]
          return { records, result: () => true }
        },
      })
    },

    get,

    async findItems(ids) {
      const entries = parseIndex(await reader.record(user, INDEX, ''))
      return searchItems(entries, { ids, get })
    },

    async delete(id) {
      if (!RESPONSE_ID.test(id)) return false
      return journal.write(user, {
        reads: [{ kind: INDEX, name: '' }],
        isAudited: false,
        decide(view) {
          const entries = parseIndex(view.record(INDEX, ''))
          const rest = entries.filter((entry) => entry.id !== id)
          const found = entries.find((entry) => entry.id === id)
          if (found === undefined) return { result: () => false }
          const records = [
            { kind: RESPONSES, name: id, value: null },
            { kind: INDEX, name: '', value: rest.length === 0 ? null : formatIndex(rest) },
          ]
          return { records, result: () => found.expiresAt > view.now }
        },
      })
    },

    async *exportRows() {
      for (let after: string | undefined; ; ) {
        const page = await reader.records(user, RESPONSES, { limit: PAGE_SIZE, order: 'ascending', after })
        for (const { name: id, value } of page) {
          const { at, expiresAt, response, input } = parseRecord(value)
          if (expiresAt <= now()) continue
          const exported = { id, response, input, expiresAt: new Date(expiresAt).toISOString() }
          yield { part: 'answers', type: 'response', at: new Date(at).toISOString(), value: exported }
        }
        after = page.at(-1)?.name
        if (page.length < PAGE_SIZE) return
      }
    },
  }
}

/** Searches the newest responses first. */
async function searchItems(
  entries: readonly Entry[],
  { ids, get }: { readonly ids: ReadonlySet<string>; get(id: string): Promise<StoredResponse | undefined> },
): Promise<ReadonlyMap<string, unknown>> {
  const missing = new Set(ids)
  const found = new Map<string, unknown>()
  let searched = 0
  for (const { id, items } of entries.toReversed()) {
    if (!items.some((item) => missing.has(item))) continue
    for (const [item, value] of itemsOfStored(await get(id))) if (missing.delete(item)) found.set(item, value)
    searched++
    if (searched === MAX_SEARCHED) break
  }
  return found
}

/** The entries that stay beside a new one. */
function withinLimits(
  entries: readonly Entry[],
  { now, maxPerUser, bytes }: { readonly now: number; readonly maxPerUser: number; readonly bytes: number },
): readonly Entry[] {
  const rest = entries.filter(({ expiresAt }) => expiresAt > now)
  let total = rest.reduce((sum, entry) => sum + entry.bytes, bytes)
  while (rest.length > 0 && (rest.length >= maxPerUser || total > MAX_USER_RESPONSES_BYTES)) {
    total -= rest.shift()?.bytes ?? 0
  }
  return rest
}

type Row = [id: string, expiresAt: number, bytes: number, items: readonly string[]]

function parseIndex(value: string | undefined): readonly Entry[] {
  const rows = value === undefined ? [] : (JSON.parse(value) as Row[])
  return rows.map(([id, expiresAt, bytes, items]) => ({ id, expiresAt, bytes, items }))
}

function formatIndex(entries: readonly Entry[]): string {
  return JSON.stringify(entries.map(({ id, expiresAt, bytes, items }) => [id, expiresAt, bytes, items] satisfies Row))
}

function outputOf({ output }: StoredResponse['response']): readonly unknown[] {
  return Array.isArray(output) ? output : []
}

function itemsOfStored(stored: StoredResponse | undefined): ReadonlyMap<string, unknown> {
  return stored === undefined ? new Map() : itemsById([...stored.input, ...outputOf(stored.response)])
}

function itemsById(items: readonly unknown[]): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>()
  for (const item of items) if (isObject(item) && typeof item.id === 'string') found.set(item.id, item)
  return found
}

interface ResponseRecord {
  /** Version of this format. */
  readonly v: 1
  /** Epoch ms. */
  readonly at: number
  readonly expiresAt: number
  readonly input: readonly unknown[]
  readonly response: Readonly<Record<string, unknown>>
}

function parseRecord(value: string): ResponseRecord {
  const stored = parseExactJson(value) as ResponseRecord
  if (stored.v === 1) return stored
  throw new PurserError('store_newer', 'A kept response was written by a newer version.')
}
