import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { createSubject, type Subject } from '../../src/core/subject.ts'
import type { AnswerStore } from '../../src/storage/answer-store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { type AnswersHarness, drivers, openAnswersHarness } from '../support/answers-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('answers against a reference model')

const MAX_ENTRIES = 6
const TTL_MS = 1_000
/** Uses are written by `flush` only, so that the model knows when. */
const NEVER_MS = 1_000_000_000
const USERS = ['a', 'b', 'c'].map((id) => createSubject('default', id))

interface Entry {
  readonly value: number
  readonly expiresAt: number
  /** Used since it was written or moved, and not known to the store. */
  isUsedHere: boolean
  /** The same, and known to the store. */
  isUsed: boolean
}

/**
 * The expected behavior of the cache: a list in the order of writing. The oldest entry is evicted; if it was used, it is
 * moved to the end instead, once.
 */
class Model {
  readonly entries = new Map<string, Entry>()
  now = 0
  next = 0
  hits = 0
  misses = 0
  evictions = 0

  get(key: string): number | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined || this.now > entry.expiresAt) {
      this.misses++
      return undefined
    }
    this.hits++
    entry.isUsedHere = true
    return entry.value
  }

  store(key: string, value: number, ttlMs: number): void {
    this.entries.delete(key)
    this.append(key, { value, expiresAt: this.now + ttlMs })
    const again = this.evict()
    this.flush()
    if (again === undefined) return
    this.append(...again)
    assert.equal(this.evict(), undefined)
  }

  append(key: string, { value, expiresAt }: Pick<Entry, 'value' | 'expiresAt'>): void {
    this.entries.set(key, { value, expiresAt, isUsedHere: false, isUsed: false })
  }

  /** Returns an entry that the store evicted because it did not know of its use. */
  evict(): readonly [string, Entry] | undefined {
    if (this.entries.size > MAX_ENTRIES) this.sweep()
    for (const [key, entry] of this.entries) {
      if (this.entries.size <= MAX_ENTRIES) break
      this.entries.delete(key)
      if (entry.isUsed) this.entries.set(key, Object.assign(entry, { isUsed: false }))
      else if (entry.isUsedHere) return [key, entry]
      else this.evictions++
    }
    return undefined
  }

  flush(): void {
    for (const entry of this.entries.values()) {
      entry.isUsed ||= entry.isUsedHere
      entry.isUsedHere = false
    }
  }

  sweep(): void {
    for (const [key, entry] of this.entries) if (this.now > entry.expiresAt) this.entries.delete(key)
  }

  /** Expired entries count unless they were swept before. */
  forget(user: string): { readonly least: number; readonly most: number } {
    const own = [...this.entries].filter(([key]) => key.startsWith(`${user} `))
    for (const [key] of own) this.entries.delete(key)
    return { least: own.filter(([, { expiresAt }]) => this.now <= expiresAt).length, most: own.length }
  }
}

interface Real extends AnswersHarness {
  readonly store: NotingStore
  /** A second process on the same store, on the same clock. */
  readonly other: AnswersHarness
}

/** A store that notes the instant of the last totals, by the clock of the answers. */
interface NotingStore extends AnswerStore {
  now: number
}

function noteTotals(store: AnswerStore): NotingStore {
  const noting: NotingStore = {
    ...store,
    now: 0,
    totals(namespace, now) {
      noting.now = now
      return store.totals(namespace, now)
    },
  }
  return noting
}

type Command = fc.AsyncCommand<Model, Real>

const anyUser = fc.nat({ max: USERS.length - 1 })
const anyRequest = fc.nat({ max: 5 })
const keyOf = (user: number, request: number): string => `${userOf(user).id} ${request}`
const userOf = (user: number): Subject => USERS[user] as Subject

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name }
}

async function forgetInBoth(model: Model, { answers }: Pick<AnswersHarness, 'answers'>, user: number): Promise<void> {
  const { least, most } = model.forget(userOf(user).id)
  const forgotten = await answers.of(userOf(user)).forget()
  assert.ok(
    least <= forgotten && forgotten <= most,
    `${forgotten} answers were forgotten instead of ${least} to ${most}`,
  )
}

const commands = [
  fc.tuple(anyUser, anyRequest).map(([user, request]) =>
    command(`lookup ${keyOf(user, request)}`, async (model, { answers }) => {
      const found = await answers.of(userOf(user)).lookup({ request })
      assert.equal(found?.answer, model.get(keyOf(user, request)))
    }),
  ),
  fc.tuple(anyUser, anyRequest, fc.constantFrom(TTL_MS, 10)).map(([user, request, ttlMs]) =>
    command(`remember ${keyOf(user, request)} for ${ttlMs}`, async (model, { answers }) => {
      const key = keyOf(user, request)
      const value = model.next++
      const stored = model.get(key)
      if (stored === undefined) model.store(key, value, ttlMs)
      const result = await answers.of(userOf(user)).remember({ request }, () => value, { ttlMs })
      assert.deepEqual(
        result,
        stored === undefined ? { answer: value, source: 'computed' } : { answer: stored, source: 'hit' },
      )
      if (stored !== undefined) return
      await answers.flush()
    }),
  ),
  anyUser.map((user) =>
    command(`forget ${userOf(user).id}`, async (model, { answers }) => {
      await forgetInBoth(model, { answers }, user)
    }),
  ),
  fc.constantFrom(1, 11, 400, 1_001).map((ms) =>
    command(`${ms} ms pass`, async (model, { clock }) => {
      clock.advance(ms)
      model.now += ms
    }),
  ),
  fc.constantFrom(-3_600_000, 3_600_000).map((ms) =>
    command(`the wall clock jumps ${ms} ms`, async (_, { clock }) => {
      // Larger differences to the monotonic clock would be followed.
      if (Math.abs(clock.now() + ms - clock.monotonic()) <= 3_600_000) clock.stepWall(ms)
    }),
  ),
  fc.constant(
    command('flush', async (model, { answers }) => {
      model.flush()
      await answers.flush()
    }),
  ),
  fc.constant(
    command('clear', async (model, { answers }) => {
      model.entries.clear()
      await answers.clear()
    }),
  ),
  anyUser.map((user) =>
    command(`the other process forgets ${userOf(user).id}, a second passes`, async (model, { other, clock }) => {
      await forgetInBoth(model, other, user)
      clock.advance(1_000)
      model.now += 1_000
    }),
  ),
]

/** Compares the statistics. They are exact, but expired entries may have been swept in the background. */
async function compareStats(model: Model, { answers, clock, store }: Real, namespace: string): Promise<void> {
  const readTotals = async (): Promise<void> => {
    answers.stats()
    // Removes nothing, and reads the current totals from a server.
    await store.sweep(namespace, { now: store.now, limit: 0 })
  }
  await readTotals()
  const { entries, active, expired, hits, misses, joined, evictions, failures } = answers.stats()
  const live = [...model.entries.values()].filter(({ expiresAt }) => model.now <= expiresAt).length
  assert.deepEqual(
    { active, hits, misses, joined, evictions, failures },
    { active: live, hits: model.hits, misses: model.misses, joined: 0, evictions: model.evictions, failures: 0 },
  )
  assert.equal(active + expired, entries)
  assert.ok(entries <= model.entries.size)
  // A server removes them while the clock stands.
  for (let minute = 0; minute < SWEEP_MAX_MINUTES && answers.stats().entries > 0; minute++) {
    await clock.pass(60_000)
    await readTotals()
  }
  const swept = answers.stats()
  assert.deepEqual({ entries: swept.entries, bytes: swept.bytes, expired: swept.expired }, NOTHING)
}

/** Until all expired answers are removed. */
const SWEEP_MAX_MINUTES = 100

/** With every run of the tests. */
const RUNS: Readonly<Record<string, number>> = { memory: 300, sqlite: 100 }

const NOTHING = { entries: 0, bytes: 0, expired: 0 }

for (const [name, openStore] of Object.entries(drivers)) {
  test(`any sequence of calls gives the results of the reference model (${name}; CM-10, CM-13, CM-15, CM-17)`, async () => {
    const { store: opened, close } = await openStore()
    const store = noteTotals(opened)
    let round = 0
    try {
      await fc.assert(
        fc.asyncProperty(fc.commands(commands, { maxCommands: 60 }), async (sequence) => {
          // Each round has a namespace of its own, so that the store does not have to be reopened.
          const namespace = `round ${round++}`
          for (const [index, user] of USERS.entries()) USERS[index] = createSubject(namespace, user.id)
          const clock = handClock({ wall: 0 })
          const answers = { maxEntries: MAX_ENTRIES, ttlMs: TTL_MS, touchEveryMs: NEVER_MS }
          const open = (): Promise<AnswersHarness> => openAnswersHarness({ store, clock, namespace, answers })
          const model = new Model()
          const real = { ...(await open()), store, other: await open() }
          await fc.asyncModelRun(() => ({ model, real }), sequence)
          await compareStats(model, real, namespace)
        }),
        { numRuns: rounds(3_000, RUNS[name] ?? 10), seed },
      )
    } finally {
      await close()
    }
  })
}
