import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { type AnswersDeps, createAnswers } from '../../src/answers/answers.ts'
import type { Answers, InternalUserAnswers } from '../../src/answers/api.ts'
import { createKeyring, type Keyring } from '../../src/core/keyring.ts'
import { createPendingCalls } from '../../src/core/pending-calls.ts'
import { createSubject, type Subject } from '../../src/core/subject.ts'
import { createMemoryAnswers } from '../../src/drivers/memory/answers.ts'
import { createSqliteAnswers } from '../../src/drivers/sqlite/cache/answers.ts'
import { createCacheWriterCalls } from '../../src/drivers/sqlite/cache/cache-file.ts'
import { type Database, openDatabase } from '../../src/drivers/sqlite/database.ts'
import { type AnswerOptions, DEFAULTS } from '../../src/options.ts'
import type { AnswerStore } from '../../src/storage/answer-store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { createInProcessWorker } from './in-process-worker.ts'
import { noPostgres, openPostgres } from './postgres-server.ts'
import { noRedis, openRedis } from './redis-server.ts'

export const keys: Keyring = createKeyring(Buffer.alloc(32, 7))
export const alice: Subject = createSubject('default', 'alice')
export const bob: Subject = createSubject('default', 'bob')

export interface AnswersHarness extends AsyncDisposable {
  readonly answers: Answers
  readonly clock: HandClock
  readonly store: AnswerStore
  /** The current incarnation of each user; 1 by default. */
  readonly incarnations: Map<string, number>
  user(id: string): InternalUserAnswers
}

export type AnswersHarnessOptions = Partial<AnswersDeps> & {
  readonly clock?: HandClock
  readonly answers?: Partial<AnswerOptions>
}

/** The answers module; by default on a memory store and a clock that the test controls. */
export async function openAnswersHarness(options: AnswersHarnessOptions = {}): Promise<AnswersHarness> {
  const clock = options.clock ?? handClock()
  const store = options.store ?? createMemoryAnswers()
  const incarnations = new Map<string, number>()
  const answers = createAnswers({
    keys,
    effects: clock,
    namespace: 'default',
    calls: createPendingCalls(clock),
    bus: { publish: async () => undefined, subscribe: () => () => undefined },
    incarnationOf: async ({ id }) => incarnations.get(id) ?? 1,
    ...options,
    store,
    options: { ...DEFAULTS.answers, ...options.answers },
  })
  return {
    answers,
    clock,
    store,
    incarnations,
    user: (id) => answers.of(createSubject('default', id)),
    [Symbol.asyncDispose]: () => answers.close(),
  }
}

/** A function that returns a value and counts its calls. */
export function countCalls<T>(value: T): { compute: () => Promise<T>; readonly calls: number } {
  let calls = 0
  return {
    compute: async () => {
      calls++
      return value
    },
    get calls() {
      return calls
    },
  }
}

export interface OpenStore {
  readonly store: AnswerStore
  close(): Promise<void>
}

type OpenStores = Readonly<Record<string, () => Promise<OpenStore>>>

/** Opens an empty store in this process, where a hand clock passes no time while it waits, and totals are exact. */
export const localDrivers: OpenStores = {
  memory: async () => ({ store: createMemoryAnswers(), close: async () => {} }),
  sqlite: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'purser-answers-'))
    const { store, close } = await openSqlite(join(folder, 'cache.db'))
    return { store, close: () => close().then(() => rm(folder, { recursive: true })) }
  },
}

/** Opens an empty store, for every driver. */
export const drivers: OpenStores = {
  ...localDrivers,
  ...(noPostgres ? {} : { postgres: openPostgresAnswers }),
  ...(noRedis ? {} : { redis: openRedisAnswers }),
}

async function openPostgresAnswers(): Promise<OpenStore> {
  const store = await openPostgres()
  // Connects, and creates the schema.
  await store.answers.generation({ namespace: 'warm-up', owner: '' })
  return { store: store.answers, close: () => store.close() }
}

async function openRedisAnswers(): Promise<OpenStore> {
  const store = await openRedis()
  // A server that does not know the script yet is sent it again, after calls that the test makes meanwhile.
  const limits = { maxEntries: 1, maxBytes: 1, now: 0 }
  await store.answers.put({ namespace: 'warm-up', rows: [], limits, macKey: Buffer.alloc(32) })
  return { store: store.answers, close: () => store.close() }
}

/** An answer store in a file that is read and written in the test's own thread. */
export function answersOn(database: Database): AnswerStore {
  return createSqliteAnswers(database, createInProcessWorker(createCacheWriterCalls(database)))
}

export async function openSqlite(path: string): Promise<OpenStore> {
  const database = await openDatabase({ path, profile: 'rebuildable' })
  return { store: answersOn(database), close: database.close }
}

/** Runs a test with every driver; the harnesses that `open` opens share one store. */
export function onEveryDriver(
  title: string,
  run: (open: (options?: AnswersHarnessOptions) => Promise<AnswersHarness>, context: TestContext) => Promise<void>,
  stores: OpenStores = drivers,
): void {
  for (const [name, openStore] of Object.entries(stores)) {
    test(`${title} (${name})`, async (context) => {
      const { store, close } = await openStore()
      try {
        await run((options) => openAnswersHarness({ store, ...options }), context)
      } finally {
        await close()
      }
    })
  }
}
