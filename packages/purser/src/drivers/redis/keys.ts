import { LRUCache } from 'lru-cache'
import type { Subject } from '../../core/subject.ts'

/*
 * The keys of a namespace. Those of the ledger share one hash tag, so that a commit, an erasure and a page of the log are
 * one atomic step, and a namespace is in one slot of a cluster; those of the cache share another. Namespaces, ids and kinds
 * of records are percent-encoded in names of keys, so no text can form another key or another hash tag.
 */

/** The keys of one user, in the order in which the scripts take them. */
export interface UserKeys {
  /** Hash: the row. */
  readonly user: string
  /** Hash: the values of records by kind and name. */
  readonly records: string
  /** Sorted set, by text: the kinds and names of records. */
  readonly names: string
  /** Sorted set, by sequence: events. */
  readonly events: string
  /** Hash: replies by idempotency key. */
  readonly replies: string
  /** Text with a time to live: the token of the process that has the write lock. */
  readonly lock: string
  /** Sorted set, by text: `ID OUTCOME VALUE` of turns. */
  readonly turns: string
  /** Hash: amounts by `DAY HOUR INDEX KEY`, and under `from` a day that none of them is before. */
  readonly sums: string
}

/** The keys of a namespace's ledger, in the order in which the scripts take them. */
export interface LedgerKeys {
  /** Hash: the incarnation that a new user of a tag starts with. */
  readonly incarnations: string
  /** Sorted set, by instant: the replies of all users. */
  readonly expiries: string
  /** Sorted set, by position: the events of all users. */
  readonly log: string
  /** Hash: positions by event id. */
  readonly positions: string
  /** Hash: numbers of users by facet, and the last position. */
  readonly counts: string
  /** Sorted set, by text: the ids of all users. */
  readonly ids: string
  readonly seen: string
  readonly created: string
  /** Sorted set: users with a peak above 0. */
  readonly peak: string
  /** Sorted set: users who have used a part of their cap; the window may have ended. */
  readonly cap: string
  /** Sorted set: the ends of these windows. */
  readonly capUntil: string
  /** Sorted set, by text: `phase:PHASE:ID`, `risk:LEVEL:ID`, `blocked:1:ID`. */
  readonly facets: string
  /** Sorted set, by text: `ID USER` of the turns of all users. */
  readonly turns: string
  /** Sorted set, by text: the days with sums. */
  readonly sumDays: string
}

/** The keys of a namespace's answers, in the order in which the scripts take them. */
export interface AnswerKeys {
  /** Hash: rows by key. */
  readonly rows: string
  /** Hash: `OWNER BYTES` by key. */
  readonly sizes: string
  /** Sorted set, by position: keys in the order of eviction. */
  readonly order: string
  /** Sorted set, by instant: keys of rows that expire. */
  readonly expiries: string
  /** Sorted set, by text: `OWNER:KEY`. */
  readonly owners: string
  /** Set: keys that were used. */
  readonly used: string
  /** Hash: generations by owner; that of the namespace under `''`. */
  readonly generations: string
  /** Hash: `entries`, `bytes`, `position`, `generation`. */
  readonly counts: string
}

/** The keys of a namespace's last good contexts, in the order in which the scripts take them. */
export interface ContextKeys {
  /** Hash: values by user and section. */
  readonly values: string
  /** Hash: `INCARNATION LOADED_AT LEASE` by user and section. */
  readonly leases: string
  /** Sorted set, by text: users and sections. */
  readonly names: string
  /** Sorted set, by position: the same in the order of eviction. */
  readonly order: string
}

export interface NamespaceKeys {
  readonly ledger: LedgerKeys
  readonly answers: AnswerKeys
  readonly contexts: ContextKeys
  user(id: string): UserKeys
  /** Hash: the sums of a day, as those of a user. */
  sums(day: string): string
}

const MAX_NAMESPACES = 1_000

/** The names of all keys of a store. */
export class Keys {
  /** Hash: values about the store itself. */
  readonly meta: string
  /** Of all instances, in the order in which the scripts take them. Hash: values by id. Sorted set, by instant: ids. */
  readonly instances: { readonly values: string; readonly written: string }
  /** Set: the namespaces that were ever written. */
  readonly namespaces: string
  readonly #prefix: string
  readonly #namespaces = new LRUCache<string, NamespaceKeys>({
    max: MAX_NAMESPACES,
    memoMethod: (namespace) => createNamespaceKeys(this.#prefix, namespace),
  })

  constructor(prefix: string) {
    this.#prefix = prefix
    this.meta = `${prefix}:{store}:meta`
    this.namespaces = `${prefix}:{store}:namespaces`
    this.instances = named(`${prefix}:{store}:instances`, ['values', 'written'])
  }

  of(namespace: string): NamespaceKeys {
    return this.#namespaces.memo(namespace)
  }

  user({ namespace, id }: Subject): UserKeys {
    return this.of(namespace).user(id)
  }

  /** The channel of bus messages. */
  get channel(): string {
    return `${this.#prefix}:{store}:bus`
  }
}

function createNamespaceKeys(prefix: string, namespace: string): NamespaceKeys {
  const ledger = `${prefix}:{${encodeURIComponent(namespace)}/ledger}`
  const cache = `${prefix}:{${encodeURIComponent(namespace)}/cache}`
  return {
    ledger: named(ledger, [
      'incarnations',
      'expiries',
      'log',
      'positions',
      'counts',
      'ids',
      'seen',
      'created',
      'peak',
      'cap',
      'capUntil',
      'facets',
      'turns',
      'sumDays',
    ]),
    answers: named(`${cache}:answers`, [
      'rows',
      'sizes',
      'order',
      'expiries',
      'owners',
      'used',
      'generations',
      'counts',
    ]),
    contexts: named(`${cache}:contexts`, ['values', 'leases', 'names', 'order']),
    user(id) {
      const encoded = encodeURIComponent(id)
      return {
        user: `${ledger}:user:${encoded}`,
        records: `${ledger}:records:${encoded}`,
        names: `${ledger}:names:${encoded}`,
        events: `${ledger}:events:${encoded}`,
        replies: `${ledger}:replies:${encoded}`,
        lock: `${ledger}:lock:${encoded}`,
        turns: `${ledger}:turns:${encoded}`,
        sums: `${ledger}:sums:${encoded}`,
      }
    },
    sums: (day) => `${ledger}:daySums:${encodeURIComponent(day)}`,
  }
}

function named<Name extends string>(prefix: string, names: readonly Name[]): Record<Name, string> {
  return Object.fromEntries(names.map((name) => [name, `${prefix}:${name}`])) as Record<Name, string>
}
