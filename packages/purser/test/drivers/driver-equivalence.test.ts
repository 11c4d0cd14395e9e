import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openDatabase } from '../../src/drivers/sqlite/database.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { createListing } from '../../src/drivers/sqlite/main/list-users.ts'
import type { Commit, Store, StoredEvent, UserOrder, UserQuery } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/index.ts'
import {
  AT,
  commitOf,
  erasureOf,
  eventOf,
  NAMESPACE,
  queryOf,
  tagOf,
} from '../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { newPath } from '../support/temporary-store.ts'

/** A source of choices that depends on the seed alone. */
function chooser(from: number): { one<Item>(items: readonly Item[]): Item; below(limit: number): number } {
  let state = from >>> 0
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  return { below, one: (items) => items[below(items.length)] as (typeof items)[number] }
}

type Choose = ReturnType<typeof chooser>

const IDS = ['ann', 'bob', 'ö', '😀', '\uffee', '__proto__', "'", '%']

async function anyCommit(choose: Choose, store: Store, id: string): Promise<Commit> {
  const user = { namespace: NAMESPACE, id }
  const row = await store.users.load(user)
  const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(NAMESPACE, tagOf(user)))
  const last = row?.head?.sequence ?? 0
  const events: StoredEvent[] = Array.from({ length: choose.below(3) }, (_, index) =>
    eventOf(last + 1 + index, { id: `${id} ${incarnation} ${last + 1 + index}`, type: choose.one(['a', 'b']) }),
  )
  if (choose.below(12) === 0 && events[0] !== undefined) events[0] = { ...events[0], sequence: Math.max(1, last) }
  const end = events.at(-1)
  const name = (): string => choose.one(['1', '2', '3', '\u{10000}', '\uffff', ''])
  return commitOf(user, {
    expect: choose.below(10) === 0 ? choose.below(4) : (row?.revision ?? null),
    tag: tagOf(user),
    incarnation: choose.below(15) === 0 ? incarnation + 1 : incarnation,
    at: AT + choose.below(1_000),
    seenAt: choose.one([null, AT + choose.below(50)]),
    facets: {
      phase: choose.one(['x', 'y', 'z']),
      riskLevel: choose.one(['low', 'high']),
      blocked: choose.below(5) === 0,
      capUsed: choose.one([0, 0.25, 0.5, 1, 1.5]),
      capUsedUntil: choose.one([null, AT - 1, AT, AT + 1, AT + 2, AT + 3]),
      peak: choose.one([0, 0.5, 1]),
    },
    events,
    ...(end === undefined
      ? {}
      : { folded: { head: { sequence: end.sequence, mac: end.mac }, headMac: 'h', state: `${end.sequence}` } }),
    ...(choose.below(3) === 0 ? { measured: `${choose.below(9)}` } : {}),
    counters: choose.below(2) === 0 ? [{ limit: choose.one(['l', '"']), window: name(), value: choose.below(9) }] : [],
    dropCounters: choose.below(4) === 0 ? [{ limit: 'm', window: name() }] : [],
    records: Array.from({ length: choose.below(3) }, () => ({
      kind: choose.one(['note', 'action']),
      name: name(),
      value: choose.one([null, 'v', 'w']),
    })),
    trims: choose.below(4) === 0 ? [{ kind: 'note', keep: choose.below(4) }] : [],
    replies: choose.below(3) === 0 ? [{ key: name(), digest: 'd', result: 'r', expiresAt: AT + choose.below(3) }] : [],
    ...(choose.below(10) === 0 ? { dropEventsBelow: last } : {}),
  })
}

function anyQuery(choose: Choose): UserQuery {
  const maybe = <Value>(value: Value): Value | undefined => (choose.below(3) === 0 ? value : undefined)
  return queryOf({
    orderBy: choose.one<UserOrder>(['id', 'seenAt', 'createdAt', 'capUsed', 'peak']),
    order: choose.one(['ascending', 'descending'] as const),
    limit: choose.one([1, 2, 3, 7, 100]),
    phase: maybe(choose.one(['x', 'y'])),
    riskLevel: maybe(choose.one(['low', 'high'])),
    blocked: maybe(choose.below(2) === 0),
    seenSince: maybe(AT + choose.below(50)),
    capUsed: maybe(choose.one([0, 0.25, 1])),
    prefix: maybe(choose.one(['a', 'user', 'user 1', '😀'])),
  })
}

/** Everything a store can be asked about these users. */
async function everythingOf(store: Store): Promise<unknown> {
  const users = await Promise.all(
    IDS.map(async (id) => {
      const user = { namespace: NAMESPACE, id }
      const row = await store.users.load(user)
      return [
        { ...row, counters: row?.counters.toSorted((a, b) => (a.limit + a.window < b.limit + b.window ? -1 : 1)) },
        await store.users.nextIncarnation(NAMESPACE, tagOf(user)),
        await store.users.records(user, 'note', { limit: 99, order: 'ascending' }),
        await store.users.records(user, 'action', { limit: 2, order: 'descending', after: '3' }),
        await Promise.all(['1', '2', '3', ''].map((key) => store.users.reply(user, key))),
        await store.events.oldest(user, { after: 0, limit: 99 }),
        await store.events.newest(user, { limit: 3, types: ['a'] }),
      ]
    }),
  )
  const tail = await store.events.tail(NAMESPACE, { after: 0, limit: 999 })
  return [users, tail.map(({ user, event }) => [user, event]), await store.users.overview(NAMESPACE)]
}

const told = (work: Promise<unknown>): Promise<unknown> => work.catch(() => 'rejected')

test('memory and SQLite answer any sequence of calls alike', async () => {
  printSeed('likeness of calls')
  for (let round = 0; round < rounds(200, 4); round++) {
    const choose = chooser(seed + round)
    const stores = [
      await openMemoryStore({ effects: handClock() }),
      await openSqliteStore({ path: newPath(), effects: handClock() }),
    ] as const
    for (let step = 0; step < 120; step++) {
      const id = choose.one(IDS)
      const user = { namespace: NAMESPACE, id }
      const kind = choose.below(20)
      if (kind === 0) {
        const incarnation = 1 + choose.below(2)
        const erasures = await Promise.all(stores.map((store) => erasureOf(store, user, incarnation)))
        const [first, second] = await Promise.all(
          stores.map(async (store, index) => {
            const outcome = await store.users.erase(user, erasures[index] as (typeof erasures)[number])
            await store.users.purge()
            return outcome.ok ? { ...outcome, counts: { ...outcome.counts } } : outcome
          }),
        )
        assert.deepEqual(first, second)
      } else if (kind === 1) {
        const [first, second] = await Promise.all(stores.map((store) => store.users.sweepReplies(AT + 1, 1_000)))
        assert.equal(first, second)
      } else {
        const commit = await anyCommit(choose, stores[0], id)
        const [first, second] = await Promise.all(stores.map((store) => told(store.users.commit(user, commit))))
        assert.deepEqual(first, second, `step ${step} of round ${round}`)
      }
    }
    const [first, second] = await Promise.all(stores.map(everythingOf))
    assert.deepEqual(second, first, `round ${round}`)
    await Promise.all(stores.map((store) => store.close()))
  }
})

test('memory and SQLite list any crowd alike, whichever way SQLite takes', async () => {
  printSeed('likeness of lists')
  const choose = chooser(seed)
  const path = newPath()
  const memory = await openMemoryStore({ effects: handClock() })
  const sqlite = await openSqliteStore({ path, effects: handClock() })
  for (let number = 0; number < 300; number++) {
    const id = number < IDS.length ? (IDS[number] as string) : `user ${choose.below(1_000_000)}`
    const commit = await anyCommit(choose, memory, id)
    const good = { ...commit, expect: null, incarnation: 1, events: [], replies: [] }
    await Promise.all([memory, sqlite].map((store) => store.users.commit({ namespace: NAMESPACE, id }, good)))
    // And one that changes an earlier user as an admission does, or as anything else does.
    const earlier = choose.one(IDS)
    const { facets, seenAt, at, measured } = await anyCommit(choose, memory, earlier)
    const expect = (await memory.users.load({ namespace: NAMESPACE, id: earlier }))?.revision ?? null
    const user = { namespace: NAMESPACE, id: earlier }
    const change = commitOf(user, { expect, facets, seenAt, at, ...(measured === undefined ? {} : { measured }) })
    await Promise.all([memory, sqlite].map((store) => store.users.commit(user, change)))
  }
  await sqlite.close()
  const database = await openDatabase({ path, profile: 'durable' })
  const ways = [
    createListing(database.connection),
    createListing(database.connection, { few: -1, maxWindows: 2_000 }),
    createListing(database.connection, { few: 20, maxWindows: 2_000 }),
    createListing(database.connection, { few: -1, maxWindows: 1 }),
  ]
  for (let round = 0; round < rounds(20_000, 400); round++) {
    let query = anyQuery(choose)
    for (let pages = 0; pages < 4; pages++) {
      const expected = await memory.users.list(query)
      const shape = (users: typeof expected): unknown => users.map(({ id, value }) => [id, value])
      for (const [way, listing] of ways.entries())
        assert.deepEqual(shape(listing.list(query)), shape(expected), `way ${way}: ${JSON.stringify(query)}`)
      const last = expected.at(-1)
      if (last === undefined) break
      query = { ...query, after: { value: last.value, id: last.id } }
    }
  }
  await database.close()
})
