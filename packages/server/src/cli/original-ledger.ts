import { PurserError } from 'purser'
import type { createClient } from 'redis'

/** The rows that the original ledger stored of one user. */
export interface OriginalUser {
  readonly user: string
  /** The stored document; undefined when there is none, an error when it is not a JSON object. */
  readonly bond: Readonly<Record<string, unknown>> | Error | undefined
  /** Oldest first. */
  readonly events: readonly (Readonly<Record<string, unknown>> | Error)[]
}

const PREFIX = 'abl:'
const EVENTS_PREFIX = 'abl:events:'
const KEYS_PER_SCAN = 100
const CONNECT_TIMEOUT_MS = 5_000
/** The original kept 500 events of a user. */
const MAX_EVENTS = 10_000

/**
 * Reads the keys `abl:USER` (a JSON document) and `abl:events:USER` (a list, newest first) of the original ledger. What a key
 * is follows from its type, because the bond of a user called `events:bob` has the name of another key.
 */
export async function* readOriginalLedger(url: string): AsyncIterable<OriginalUser> {
  // Loaded here, because every command of `purser` would load it.
  const redis = await import('redis')
  const client = redis.createClient({
    url,
    RESP: 2,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: false },
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (cause) {
    throw new PurserError('store_unavailable', 'The Redis of the import cannot be reached.', { cause })
  }
  try {
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const page = await client.scan(cursor, { MATCH: `${PREFIX}*`, COUNT: KEYS_PER_SCAN })
      cursor = String(page.cursor)
      for (const key of page.keys) {
        const user = await userOfKey(client, key)
        if (user === undefined || seen.has(user)) continue
        seen.add(user)
        yield await readUser(client, user)
      }
    } while (cursor !== '0')
  } finally {
    client.destroy()
  }
}

type Client = Pick<ReturnType<typeof createClient>, 'type' | 'get' | 'lRange'>

/** Undefined for a key of another program. */
async function userOfKey(client: Client, key: string): Promise<string | undefined> {
  const type = await client.type(key)
  if (type === 'string') return key.slice(PREFIX.length)
  return type === 'list' && key.startsWith(EVENTS_PREFIX) ? key.slice(EVENTS_PREFIX.length) : undefined
}

async function readUser(client: Client, user: string): Promise<OriginalUser> {
  const [bondType, eventsType] = await Promise.all([client.type(PREFIX + user), client.type(EVENTS_PREFIX + user)])
  const text = bondType === 'string' ? await client.get(PREFIX + user) : null
  const lines = eventsType === 'list' ? await client.lRange(EVENTS_PREFIX + user, 0, MAX_EVENTS - 1) : []
  return { user, bond: text === null ? undefined : parseObject(text), events: lines.map(parseObject).reverse() }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | Error {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    return new Error('The stored value is not a JSON object.')
  } catch {
    return new Error('The stored value is not JSON.')
  }
}
