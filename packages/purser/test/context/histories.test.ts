import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemEffects } from '../../src/core/effects.ts'
import { createSubject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { ContextOptions } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { type ContextHarness, openContextHarness, runCallbacks } from '../support/context-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

/** Holds results back until the schedule releases them, in any order. */
class Gate {
  readonly #waiting: (() => void)[] = []

  through<Value>(value: Value): Promise<Value> {
    return new Promise((resolve) => this.#waiting.push(() => resolve(value)))
  }

  release(pick: number): boolean {
    const [next] = this.#waiting.splice(pick % Math.max(1, this.#waiting.length), 1)
    next?.()
    return next !== undefined
  }

  releaseAll(): void {
    while (this.release(0));
  }
}

type Step =
  | { readonly kind: 'read'; readonly process: number; readonly maxAge: boolean; readonly create: boolean }
  | { readonly kind: 'change'; readonly process: number }
  | { readonly kind: 'release'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'restart'; readonly process: number }

const process = fc.nat(1)
const kind = <Kind extends Step['kind']>(name: Kind): fc.Arbitrary<Kind> => fc.constant(name)
const change = fc.record({ kind: kind('change'), process })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: kind('read'), process, maxAge: fc.boolean(), create: fc.boolean() }),
  },
  { weight: 3, arbitrary: change },
  { weight: 6, arbitrary: fc.record({ kind: kind('release'), pick: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('pass'), ms: fc.constantFrom(20, 60, 700, 1_200) }) },
)

/** Schedules in which processes without data in memory find the last good data of others in the store. */
const stepWithRestarts: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: kind('read'), process, maxAge: fc.constant(false), create: fc.boolean() }),
  },
  { weight: 2, arbitrary: change },
  { weight: 8, arbitrary: fc.record({ kind: kind('release'), pick: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('pass'), ms: fc.constantFrom(1, 20, 300) }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('restart'), process }) },
)

/** Two processes on one store and one clock, with one user whose data has a version. */
class World {
  readonly clock: HandClock
  readonly #gate: Gate
  readonly #processes: ContextHarness[]
  readonly #opened: ContextHarness[]
  readonly #change: (process: ContextHarness, version: number) => Promise<unknown>
  readonly #pending = new Set<Promise<void>>()
  #version = 0
  /** The newest version whose change has resolved. */
  #acknowledged = 0

  constructor(
    { clock, gate, processes }: { clock: HandClock; gate: Gate; processes: ContextHarness[] },
    change: (process: ContextHarness, version: number) => Promise<unknown>,
  ) {
    this.clock = clock
    this.#gate = gate
    this.#processes = [...processes]
    this.#opened = [...processes]
    this.#change = change
  }

  /** Runs a schedule and checks that each read sees no version older than those acknowledged before it began. */
  async run(steps: readonly Step[]): Promise<void> {
    for (const next of steps) {
      await this.#apply(next)
      await Promise.resolve()
      await Promise.resolve()
      if (next.kind !== 'pass') await runCallbacks(1)
    }
    while (this.#pending.size > 0) {
      this.#gate.releaseAll()
      this.clock.advance(200)
      await runCallbacks(1)
    }
    this.#gate.releaseAll()
    await Promise.all(this.#opened.map((process) => process.module.close()))
  }

  async #apply(next: Step): Promise<void> {
    if (next.kind === 'release') this.#gate.release(next.pick)
    else if (next.kind === 'pass') this.clock.advance(next.ms)
    else if (next.kind === 'read') this.#track(this.#read(this.#at(next.process), next))
    else if (next.kind === 'change') this.#track(this.#write(this.#at(next.process)))
    else {
      const restarted = await this.#at(next.process).reopen()
      this.#opened.push(restarted)
      this.#processes[next.process] = restarted
    }
  }

  #at(index: number): ContextHarness {
    return this.#processes[index] as ContextHarness
  }

  async #read(process: ContextHarness, { create, maxAge }: { create: boolean; maxAge: boolean }): Promise<void> {
    const oldest = this.#acknowledged
    const mode = create ? ('create' as const) : ('reuse' as const)
    const { text } = await process.user('u').context.resolve({ mode, maxAgeMs: maxAge ? 0 : undefined })
    for (const [, version] of text.matchAll(/version (\d+)/g))
      assert.ok(Number(version) >= oldest, `read version ${version} after ${oldest} was acknowledged`)
  }

  async #write(process: ContextHarness): Promise<void> {
    this.#version += 1
    const version = this.#version
    await this.#change(process, version)
    this.#acknowledged = Math.max(this.#acknowledged, version)
  }

  #track(work: Promise<void>): void {
    this.#pending.add(work)
    void work.finally(() => this.#pending.delete(work))
  }
}

interface WorldOptions {
  readonly options: (gate: Gate) => Partial<ContextOptions>
  /** Default: calls of the last good store wait at the gate. */
  readonly wrapStore?: (store: Store, gate: Gate) => Store
  readonly change: (process: ContextHarness, version: number) => Promise<unknown>
}

async function openWorld({ options, wrapStore = gateLastGood, change }: WorldOptions): Promise<World> {
  const gate = new Gate()
  const clock = handClock()
  const store = wrapStore(await openMemoryStore({ effects: systemEffects }), gate)
  const first = await openContextHarness(options(gate), { store, clock })
  return new World({ clock, gate, processes: [first, await first.reopen()] }, change)
}

function gateLastGood(store: Store, gate: Gate): Store {
  const { lastGood } = store
  return {
    ...store,
    lastGood: {
      open: async (...args) => gate.through(await lastGood.open(...args)),
      put: async (...args) => {
        await gate.through(undefined)
        return lastGood.put(...args)
      },
      drop: async (...args) => {
        await gate.through(undefined)
        await lastGood.drop(...args)
      },
    },
  }
}

/** Reads of records wait at the gate, and half of the messages about users name none, as those of SQLite on one file. */
function gateRecords(store: Store, gate: Gate): Store {
  return {
    ...store,
    bus: {
      ...store.bus,
      subscribe(listener) {
        let userMessages = 0
        return store.bus.subscribe((message) => {
          const isAnonymous = message !== 'gap' && message.topic === 'user' && userMessages++ % 2 === 0
          listener(isAnonymous ? { topic: 'user', namespace: message.namespace } : message)
        })
      },
    },
    users: {
      ...store.users,
      record: async (...args) => gate.through(await store.users.record(...args)),
      records: async (...args) => gate.through((await store.users.records(...args)).slice(0, 1)),
    },
  }
}

test('UC-D05, UC-D06, UC-D24 a read that begins after invalidate has resolved sees no older data, in either of two processes', async () => {
  printSeed('read after invalidate')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 40 }), async (steps) => {
      let current = 0
      const world = await openWorld({
        options: (gate) => ({
          ttlMs: 1_000,
          sources: { profile: () => gate.through({ note: `version ${current}` }), actions: async () => null },
          sections: {
            memories: (_: string, { mode }: { mode: string }) => gate.through([`version ${current} in ${mode}`]),
          },
        }),
        async change(process, version) {
          current = version
          await process.user('u').context.invalidate()
        },
      })
      await world.run(steps)
    }),
    { seed, numRuns: rounds(100_000, 400) },
  )
})

test('a cold process never reads last good data from before an invalidation, nor does a late load write it back', async () => {
  printSeed('last good data after invalidate')
  await fc.assert(
    fc.asyncProperty(fc.array(stepWithRestarts, { minLength: 12, maxLength: 60 }), async (steps) => {
      let current = 0
      const world = await openWorld({
        options: (gate) => ({
          ttlMs: 10_000,
          sources: { profile: () => gate.through({ note: `version ${current}` }), actions: async () => null },
        }),
        async change(process, version) {
          current = version
          await process.user('u').context.invalidate()
        },
      })
      await world.run(steps)
    }),
    { seed, numRuns: rounds(20_000, 250) },
  )
})

for (const [name, write] of [
  [
    'profile.put',
    (process: ContextHarness, version: number) => process.user('u').profile.put({ note: `version ${version}` }),
  ],
  [
    'actions.record',
    (process: ContextHarness, version: number) => process.user('u').actions.record({ action: `version ${version}` }),
  ],
] as const) {
  test(`UC-12 a read that begins after ${name} has resolved sees no older data, in either of two processes`, async () => {
    printSeed(`read after ${name}`)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 40 }), async (steps) => {
        let previous: Promise<unknown> = Promise.resolve()
        const world: World = await openWorld({
          options: () => ({ ttlMs: 1_000 }),
          wrapStore: gateRecords,
          change(process, version) {
            // One after the other: of two concurrent writes either could be the last.
            previous = previous.then(async () => {
              world.clock.advance(1)
              await write(process, version)
            })
            return previous
          },
        })
        await world.run(steps)
      }),
      { seed, numRuns: rounds(100_000, 150) },
    )
  })
}

test('after an erasure no call returns data of the erased incarnation, and none of it is restored', async () => {
  printSeed('read after erasure')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 30 }), async (steps) => {
      let incarnation = 0
      const world = await openWorld({
        options: (gate) => ({
          ttlMs: 1_000,
          sources: { profile: () => gate.through({ note: `version ${incarnation}` }) },
        }),
        async change({ journal, module }, version) {
          incarnation = version
          const user = createSubject('test', 'u')
          await journal.erase(user, () => ({ type: 'erased', detail: '', data: {} }))
          await module.forget(user)
        },
      })
      await world.run(steps)
    }),
    { seed, numRuns: rounds(100_000, 150) },
  )
})
