import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { UserLedger } from '../../src/ledger/api.ts'
import type { Store } from '../../src/storage/store.ts'
import { openStore } from '../drivers/children/open-store.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { admitForTicket, openLedgerHarness } from '../support/ledger-harness.ts'
import { noPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, sharedRedis } from '../support/redis-server.ts'
import { type Child, startChild } from '../support/start-child.ts'
import { temporaryPath } from '../support/temporary-store.ts'
import { isLinearizable, type RecordedCall } from './check-history.ts'
import { INITIAL, type Operation } from './ledger-model.ts'
import { runCalls, type Sequence } from './run-calls.ts'

const CALLER = new URL('caller.ts', import.meta.url)
const PROCESSES = 3
const SEQUENCES = 2
const CALLS_PER_SEQUENCE = 5
/** Admissions before the calls begin, whose tickets all processes settle and refund. */
const TICKETS = 2

/** What makes calls on the same users: processes, or journals of their own in this process. */
type Caller = (user: string, sequences: readonly Sequence[]) => Promise<RecordedCall[]>

/** The calls of all sequences of one history; `ticket` is an index into its tickets. */
const sequencesOf = (tickets: readonly string[]): fc.Arbitrary<Sequence[]> => {
  const ticket = fc.constantFrom(...tickets)
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ call: 'admit' } as const) },
    { weight: 2, arbitrary: fc.record({ call: fc.constantFrom('settle' as const, 'refund' as const), ticket }) },
    {
      weight: 1,
      arbitrary: fc.record({ call: fc.constant('setLimit' as const), cap: fc.integer({ min: 2, max: 7 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ call: fc.constant('observe' as const), phase: fc.constantFrom('warm', 'close') }),
    },
  )
  const sequence = fc.array(operation, { minLength: CALLS_PER_SEQUENCE, maxLength: CALLS_PER_SEQUENCE })
  const sequences = PROCESSES * SEQUENCES
  return fc.array(sequence, { minLength: sequences, maxLength: sequences })
}

interface Participants {
  /** Of the process of the test. */
  readonly own: (user: string) => UserLedger
  readonly callers: readonly Caller[]
}

/** Records histories and returns the first one that no order of the calls explains. */
async function findViolation(
  { own, callers }: Participants,
  histories: number,
): Promise<{ readonly index: number; readonly history: readonly RecordedCall[] } | undefined> {
  for (let index = 0; index < histories; index++) {
    const user = `user ${index}`
    const tickets: string[] = []
    const before: RecordedCall[] = []
    for (let count = 1; count <= TICKETS; count++) {
      tickets.push(await admitForTicket(own(user)))
      const outcome = { allowed: true, count, cap: INITIAL.cap } as const
      before.push({ operation: { call: 'admit' }, startedAt: count, endedAt: count, outcome })
    }
    const [sequences = []] = fc.sample(sequencesOf(tickets), { numRuns: 1, seed: seed + index })
    const recorded = await Promise.all(
      callers.map((call, caller) => call(user, sequences.slice(caller * SEQUENCES, (caller + 1) * SEQUENCES))),
    )
    const history = [...before, ...recorded.flat()]
    if (!isLinearizable(history)) return { index, history }
  }
  return undefined
}

async function openHarnesses(store: Store): Promise<Participants & AsyncDisposable> {
  const options = { store, effects: systemEffects, dailyCap: INITIAL.cap }
  const harnesses = await Promise.all(Array.from({ length: PROCESSES }, () => openLedgerHarness(options)))
  return {
    own: (user) => (harnesses[0] as (typeof harnesses)[number]).user(user),
    callers: harnesses.map((harness) => (user, sequences) => runCalls(harness.user(user), sequences)),
    async [Symbol.asyncDispose]() {
      for (const harness of harnesses) await harness[Symbol.asyncDispose]()
      await store.close()
    },
  }
}

async function openProcesses(location: string): Promise<Participants & AsyncDisposable> {
  const store = await openStore(location)
  const harness = await openLedgerHarness({ store, effects: systemEffects, dailyCap: INITIAL.cap })
  const children = Array.from({ length: PROCESSES }, () => startChild(CALLER, [location]))
  for (const child of children) assert.equal(await child.line(), 'ready')
  const callOf =
    (child: Child): Caller =>
    async (user, sequences) => {
      child.send(JSON.stringify({ user, sequences }))
      const history = JSON.parse(await child.line()) as RecordedCall[]
      // JSON has no infinity.
      return history.map((call) => ({ ...call, endedAt: call.endedAt ?? Number.POSITIVE_INFINITY }))
    }
  return {
    own: harness.user,
    callers: children.map(callOf),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.process.stdin?.end()
      await Promise.all(children.map(({ exited }) => exited))
      await harness[Symbol.asyncDispose]()
      await store.close()
    },
  }
}

function assertNone(violation: Awaited<ReturnType<typeof findViolation>>): void {
  assert.equal(violation, undefined, `no order explains this history: ${JSON.stringify(violation)}`)
}

describe('histories of concurrent calls are linearizable', () => {
  printSeed('linearizability')

  test('of three journals on a store in memory', async () => {
    await using participants = await openHarnesses(await openMemoryStore({ effects: systemEffects }))
    assertNone(await findViolation(participants, rounds(2_000, 60)))
  })

  const stores: Readonly<Record<string, () => Promise<string>>> = {
    SQLite: async () => `sqlite:${temporaryPath()}`,
    ...(noPostgres ? {} : { PostgreSQL: async () => (await sharedPostgres()).url() }),
    ...(noRedis ? {} : { Redis: async () => (await sharedRedis()).url() }),
  }
  for (const [name, locate] of Object.entries(stores)) {
    test(`of three processes on ${name}`, async () => {
      await using participants = await openProcesses(await locate())
      assertNone(await findViolation(participants, rounds(500, 12)))
    })
  }
})

/** Ways in which a driver can be wrong: each is found within 100 histories. */
const FAULTS: Readonly<Record<string, (store: Store) => Store['users']['commit']>> = {
  'that does not compare revisions': (store) => async (user, commit) => {
    const row = await store.users.load(user)
    return store.users.commit(user, { ...commit, expect: row?.revision ?? null })
  },
  'that acknowledges what it does not write': (store) => {
    let commits = 0
    return async (user, commit) => {
      if (++commits % 10 !== 0 || commit.expect === null) return store.users.commit(user, commit)
      return { ok: true, revision: commit.expect + 1 }
    }
  },
  'that writes what it says it has refused': (store) => {
    let commits = 0
    return async (user, commit) => {
      const outcome = await store.users.commit(user, commit)
      return ++commits % 10 === 0 ? { ok: false } : outcome
    }
  },
}

describe('the checker finds', () => {
  for (const [fault, breakCommit] of Object.entries(FAULTS)) {
    test(`a driver ${fault} within 100 histories`, async () => {
      const memory = await openMemoryStore({ effects: systemEffects })
      const broken: Store = { ...memory, users: { ...memory.users, commit: breakCommit(memory) } }
      await using participants = await openHarnesses(broken)
      const violation = await findViolation(participants, 100)
      assert.ok(violation !== undefined, 'not found')
    })
  }

  test('a history in which a call misses one that had ended', () => {
    const admitted = (count: number, startedAt: number, endedAt: number): RecordedCall => ({
      operation: { call: 'admit' },
      startedAt,
      endedAt,
      outcome: { allowed: true, count, cap: INITIAL.cap },
    })
    assert.equal(isLinearizable([admitted(1, 0, 1), admitted(2, 2, 3)]), true)
    assert.equal(isLinearizable([admitted(2, 0, 3), admitted(1, 1, 2)]), true)
    assert.equal(isLinearizable([admitted(2, 0, 1), admitted(1, 2, 3)]), false)
    assert.equal(isLinearizable([admitted(1, 0, 1), admitted(1, 0, 1)]), false)
    const unknown: RecordedCall = { ...admitted(1, 0, Number.POSITIVE_INFINITY), outcome: undefined }
    assert.equal(isLinearizable([unknown, admitted(1, 5, 6)]), true)
    assert.equal(isLinearizable([unknown, admitted(2, 5, 6)]), true)
  })
})
