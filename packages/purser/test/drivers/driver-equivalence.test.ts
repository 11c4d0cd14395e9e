import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Subject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { Connection } from '../../src/drivers/postgres/connection.ts'
import { listUsers } from '../../src/drivers/postgres/list-users.ts'
import { migrate } from '../../src/drivers/postgres/migrate.ts'
import { openDatabase } from '../../src/drivers/sqlite/database.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { createUserList } from '../../src/drivers/sqlite/main/list-users.ts'
import type { Commit, Recorded, StoredEvent } from '../../src/storage/commit.ts'
import type { Store, UserOrder, UserQuery, UserStore } from '../../src/storage/store.ts'
import { SUM_AMOUNTS, type SumIncrement } from '../../src/storage/sum-store.ts'
import { handClock } from '../../src/testing/index.ts'
import {
  AT,
  createCommit,
  createErasure,
  createEvent,
  createQuery,
  NAMESPACE,
  tagOf,
} from '../../src/testing/store-contract/samples.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { noPostgres, openPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, openRedis } from '../support/redis-server.ts'
import { temporaryPath } from '../support/temporary-store.ts'

/** Pseudo-random choices that depend on the seed only. */
function createChooser(seed: number): { one<Item>(items: readonly Item[]): Item; below(limit: number): number } {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  return { below, one: (items) => items[below(items.length)] as (typeof items)[number] }
}

type Chooser = ReturnType<typeof createChooser>

const IDS = ['ann', 'bob', 'ö', '😀', '\uffee', '__proto__', "'", '%']

async function randomCommit(choose: Chooser, store: Store, id: string): Promise<Commit> {
  const user = { namespace: NAMESPACE, id }
  const row = await store.users.load(user)
  const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(NAMESPACE, tagOf(user)))
  const last = row?.head?.sequence ?? 0
  const events: StoredEvent[] = Array.from({ length: choose.below(3) }, (_, index) =>
    createEvent(last + 1 + index, { id: `${id} ${incarnation} ${last + 1 + index}`, type: choose.one(['a', 'b']) }),
  )
  if (choose.below(12) === 0 && events[0] !== undefined) events[0] = { ...events[0], sequence: Math.max(1, last) }
  const end = events.at(-1)
  const name = (): string => choose.one(['1', '2', '3', '\u{10000}', '\uffff', ''])
  return createCommit(user, {
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
    ...(choose.below(2) === 0 ? { usage: JSON.stringify({ [name()]: choose.below(9) }) } : {}),
    records: Array.from({ length: choose.below(3) }, () => ({
      kind: choose.one(['note', 'action']),
      name: name(),
      value: choose.one([null, 'v', 'w']),
    })),
    trims: choose.below(4) === 0 ? [{ kind: 'note', keep: choose.below(4) }] : [],
    replies: choose.below(3) === 0 ? [{ key: name(), digest: 'd', result: 'r', expiresAt: AT + choose.below(3) }] : [],
    ...(choose.below(10) === 0 ? { dropEventsBelow: last } : {}),
    ...(choose.below(2) === 0 ? { recorded: randomRecorded(choose) } : {}),
  })
}

let turns = 0

/** Ids rise, but not always. */
function randomRecorded(choose: Chooser): Recorded {
  const randomSums = (): SumIncrement[] =>
    Array.from({ length: choose.below(3) }, () => ({
      day: choose.one(['2026-03-01', '2026-03-02', '2026-03-03']),
      hour: choose.below(3),
      key: choose.one(['a', 'b c', '😀']),
      amounts: Array.from({ length: SUM_AMOUNTS }, (_, index) => (index === 0 ? 1 : choose.below(3))),
    }))
  return {
    turns: Array.from({ length: choose.below(3) }, () => ({
      id: `${choose.below(9)}-${turns++}`,
      outcome: choose.one(['completed', 'failed', 'refused']),
      value: '[1]',
    })),
    keepTurns: choose.below(3) === 0 ? choose.below(5) : undefined,
    userSums: randomSums(),
    sums: randomSums(),
  }
}

function randomQuery(choose: Chooser): UserQuery {
  const maybe = <Value>(value: Value): Value | undefined => (choose.below(3) === 0 ? value : undefined)
  return createQuery({
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

/** Everything that a store returns about these users. */
async function readEverything(store: Store): Promise<unknown> {
  const users = await Promise.all(
    IDS.map(async (id) => {
      const user = { namespace: NAMESPACE, id }
      const row = await store.users.load(user)
      return [
        row,
        await store.users.nextIncarnation(NAMESPACE, tagOf(user)),
        await store.users.records(user, 'note', { limit: 99, order: 'ascending' }),
        await store.users.records(user, 'action', { limit: 2, order: 'descending', after: '3' }),
        await Promise.all(['1', '2', '3', ''].map((key) => store.users.reply(user, key))),
        await store.events.oldest(user, { after: 0, limit: 99 }),
        await store.events.newest(user, { limit: 3, types: ['a'] }),
        await store.turns.ofUser(user, { limit: 99, order: 'descending' }),
        await store.turns.ofUser(user, { limit: 3, order: 'ascending', outcome: 'failed' }),
        await store.sums.ofUser(user, { from: '0000', to: '2026-03-03', limit: 99 }),
      ]
    }),
  )
  const tail = await store.events.tail(NAMESPACE, { after: 0, limit: 999 })
  const days = { from: '0000', to: '2026-03-03', limit: 99 }
  return [
    users,
    tail.map(({ user, event }) => [user, event]),
    await store.users.overview(NAMESPACE),
    await store.turns.ofNamespace(NAMESPACE, { limit: 99, order: 'ascending', after: '3' }),
    await store.turns.ofNamespace(NAMESPACE, { limit: 9, order: 'descending', outcome: 'refused', after: '5' }),
    await store.sums.ofNamespace(NAMESPACE, days),
    await store.sums.ofUsers(NAMESPACE, days),
  ]
}

async function openRedisStores(): Promise<Store[]> {
  return noRedis ? [] : [await openRedis()]
}

const outcomeOf = (work: Promise<unknown>): Promise<unknown> => work.catch(() => 'rejected')

const durableStores: Readonly<Record<string, () => Promise<Store>>> = {
  sqlite: () => openSqliteStore({ path: temporaryPath(), effects: handClock() }),
  ...(noPostgres ? {} : { postgres: () => openPostgres() }),
  ...(noRedis ? {} : { redis: () => openRedis() }),
}

for (const [name, open] of Object.entries(durableStores)) {
  test(`memory and ${name} return the same for random sequences of calls`, async () => {
    printSeed('driver equivalence, calls')
    for (let round = 0; round < rounds(200, 4); round++) {
      const stores = [await openMemoryStore({ effects: handClock() }), await open()] as const
      await compareCalls(stores, round)
      await Promise.all(stores.map((store) => store.close()))
    }
  })
}

async function compareCalls(stores: readonly [Store, Store], round: number): Promise<void> {
  const choose = createChooser(seed + round)
  const [expected] = stores
  for (let step = 0; step < 120; step++) {
    const id = choose.one(IDS)
    const user = { namespace: NAMESPACE, id }
    const kind = choose.below(20)
    const call = await randomCall(choose, { kind, store: expected, id })
    const [first, second] = await Promise.all(stores.map((store) => outcomeOf(call(store, user))))
    assert.deepEqual(second, first, `step ${step} of round ${round}`)
  }
  const [first, second] = await Promise.all(stores.map(readEverything))
  assert.deepEqual(second, first, `round ${round}`)
}

type Call = (store: Store, user: Subject) => Promise<unknown>

async function randomCall(
  choose: Chooser,
  { kind, store, id }: { readonly kind: number; readonly store: Store; readonly id: string },
): Promise<Call> {
  if (kind === 1) return (called) => called.users.sweepReplies(AT + 1, 1_000)
  if (kind === 2) return (called) => called.turns.sweep(NAMESPACE, '4', 1_000)
  if (kind > 2) {
    const commit = await randomCommit(choose, store, id)
    return (called, user) => called.users.commit(user, commit)
  }
  const incarnation = 1 + choose.below(2)
  return async (called, user) => {
    const outcome = await called.users.erase(user, await createErasure(called, user, incarnation))
    await called.users.purge()
    return outcome.ok ? { ...outcome, counts: { ...outcome.counts } } : outcome
  }
}

/** Thresholds of the query plans, so that each is used with few users. */
const LIMITS = [
  { selectiveRows: -1, maxWindows: 2_000 },
  { selectiveRows: 20, maxWindows: 2_000 },
  { selectiveRows: -1, maxWindows: 1 },
]

test('the drivers list random users alike, with every query plan', async () => {
  printSeed('driver equivalence, lists')
  const choose = createChooser(seed)
  const path = temporaryPath()
  const memory = await openMemoryStore({ effects: handClock() })
  const sqlite = await openSqliteStore({ path, effects: handClock() })
  const url = noPostgres ? undefined : (await sharedPostgres()).url()
  const others = [...(url === undefined ? [] : [await openPostgres(url)]), ...(await openRedisStores())]
  const stores = [memory, sqlite, ...others]
  for (let number = 0; number < 300; number++) {
    const id = number < IDS.length ? (IDS[number] as string) : `user ${choose.below(1_000_000)}`
    const commit = await randomCommit(choose, memory, id)
    const valid = { ...commit, expect: null, incarnation: 1, events: [], replies: [] }
    await Promise.all(stores.map((store) => store.users.commit({ namespace: NAMESPACE, id }, valid)))
    // Then changes an earlier user, in the columns of an admission or in others.
    const earlier = choose.one(IDS)
    const { facets, seenAt, at, measured } = await randomCommit(choose, memory, earlier)
    const expect = (await memory.users.load({ namespace: NAMESPACE, id: earlier }))?.revision ?? null
    const user = { namespace: NAMESPACE, id: earlier }
    const change = createCommit(user, { expect, facets, seenAt, at, ...(measured === undefined ? {} : { measured }) })
    await Promise.all(stores.map((store) => store.users.commit(user, change)))
  }
  await sqlite.close()
  const database = await openDatabase({ path, profile: 'durable' })
  const connection =
    url === undefined ? undefined : new Connection({ url, maxConnections: 2, timeoutMs: 5_000 }, migrate)
  const lists: readonly Pick<UserStore, 'list'>[] = [
    ...[
      createUserList(database.connection),
      ...LIMITS.map((limits) => createUserList(database.connection, limits)),
    ].map((userList) => ({ list: async (query: UserQuery) => userList.list(query) })),
    ...others.map(({ users }) => users),
    ...(connection === undefined
      ? []
      : LIMITS.map((limits) => ({ list: (query: UserQuery) => listUsers(connection, query, limits) }))),
  ]
  for (let round = 0; round < rounds(20_000, 400); round++) {
    let query = randomQuery(choose)
    for (let pages = 0; pages < 4; pages++) {
      const expected = await memory.users.list(query)
      const shape = (users: typeof expected): unknown => users.map(({ id, value }) => [id, value])
      for (const [index, userList] of lists.entries())
        assert.deepEqual(shape(await userList.list(query)), shape(expected), `list ${index}: ${JSON.stringify(query)}`)
      const last = expected.at(-1)
      if (last === undefined) break
      query = { ...query, after: { value: last.value, id: last.id } }
    }
  }
  await Promise.all([database.close(), connection?.close(), ...others.map((store) => store.close())])
})
