import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { UserContexts } from '../../src/context/context.ts'
import { systemEffects } from '../../src/core/effects.ts'
import { createSubject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { LastGoodStore } from '../../src/storage/last-good-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openHouse, turn } from '../support/context-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

/** Work that ends when the schedule says so, in any order. */
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
}

type Step =
  | { readonly kind: 'read'; readonly house: number; readonly maxAge: boolean; readonly create: boolean }
  | { readonly kind: 'change'; readonly house: number }
  | { readonly kind: 'release'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'restart'; readonly house: number }

const house = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('read' as const), house, maxAge: fc.boolean(), create: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('change' as const), house }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(20, 60, 700, 1_200) }) },
)

/** Schedules in which cold processes meet what others have kept in the store. */
const keptStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      house,
      maxAge: fc.constant(false),
      create: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const), house }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 20, 300) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), house }) },
)

interface World {
  readonly users: readonly UserContexts[]
  /** Puts a cold process in the place of one. */
  restart?(house: number): Promise<void>
  /** Makes the next version true and says so in the way that is tested. */
  change(house: number, version: number): Promise<void>
  close(): Promise<void>
}

/** Plays a schedule and compares each read with the versions that were told before it began. */
async function play(
  steps: readonly Step[],
  world: World,
  gate: Gate,
  clock: ReturnType<typeof handClock>,
): Promise<void> {
  let version = 0
  let told = 0
  const open = new Set<Promise<void>>()
  const track = (work: Promise<void>): void => {
    open.add(work)
    void work.finally(() => open.delete(work))
  }
  for (const next of steps) {
    if (next.kind === 'read') {
      const floor = told
      const { context } = world.users[next.house] as UserContexts
      const options = {
        mode: next.create ? ('create' as const) : ('reuse' as const),
        maxAgeMs: next.maxAge ? 0 : undefined,
      }
      track(
        context.resolve(options).then(({ text }) => {
          const seen = [...text.matchAll(/version (\d+)/g)].map((match) => Number(match[1]))
          for (const one of seen) assert.ok(one >= floor, `saw ${one} after ${floor} was told`)
        }),
      )
    } else if (next.kind === 'change') {
      version += 1
      const mine = version
      track(
        world.change(next.house, mine).then(() => {
          told = Math.max(told, mine)
        }),
      )
    } else if (next.kind === 'release') gate.release(next.pick)
    else if (next.kind === 'restart') await world.restart?.(next.house)
    else clock.advance(next.ms)
    await Promise.resolve()
    await Promise.resolve()
    if (next.kind !== 'pass') await new Promise<void>((resolve) => setImmediate(resolve))
  }
  while (open.size > 0) {
    while (gate.release(0));
    clock.advance(200)
    await turn(1)
  }
  await world.close()
}

function gatedLastGood(store: LastGoodStore, gate: Gate): LastGoodStore {
  return {
    open: async (...order) => gate.through(await store.open(...order)),
    put: async (...order) => {
      await gate.through(undefined)
      return store.put(...order)
    },
    drop: async (...order) => {
      await gate.through(undefined)
      await store.drop(...order)
    },
  }
}

test('R5, UC-D05, UC-D06, UC-D24 a read begun after invalidate resolved never sees older data, in either of two instances', async () => {
  printSeed('read after invalidate')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 40 }), async (steps) => {
      const gate = new Gate()
      const clock = handClock()
      const memory = await openMemoryStore({ effects: systemEffects })
      const store: Store = { ...memory, lastGood: gatedLastGood(memory.lastGood, gate) }
      let current = 0
      const options = {
        ttlMs: 1_000,
        sources: { profile: () => gate.through({ note: `version ${current}` }), actions: async () => null },
        sections: {
          memories: (_: string, { mode }: { mode: string }) => gate.through([`version ${current} in ${mode}`]),
        },
      }
      const houses = await Promise.all([0, 1].map(() => openHouse(options, { store, clock })))
      const users = houses.map((one) => one.user('u'))
      await play(
        steps,
        {
          users,
          async change(at, version) {
            current = version
            await users[at]?.context.invalidate()
          },
          async close() {
            while (gate.release(0));
            await Promise.all(houses.map((one) => one.close()))
          },
        },
        gate,
        clock,
      )
    }),
    { seed, numRuns: rounds(100_000, 400) },
  )
})

test('R5 a cold process never takes over data that was kept before an invalidation, nor does a late load put it back', async () => {
  printSeed('kept data after invalidate')
  await fc.assert(
    fc.asyncProperty(fc.array(keptStep, { minLength: 12, maxLength: 60 }), async (steps) => {
      const gate = new Gate()
      const clock = handClock()
      const memory = await openMemoryStore({ effects: systemEffects })
      const store: Store = { ...memory, lastGood: gatedLastGood(memory.lastGood, gate) }
      let current = 0
      const options = {
        ttlMs: 10_000,
        sources: { profile: () => gate.through({ note: `version ${current}` }), actions: async () => null },
      }
      const houses = await Promise.all([0, 1].map(() => openHouse(options, { store, clock })))
      const opened = [...houses]
      const users = houses.map((one) => one.user('u'))
      await play(
        steps,
        {
          users,
          async change(at, version) {
            current = version
            await users[at]?.context.invalidate()
          },
          async restart(at) {
            const one = await openHouse(options, { store, clock })
            opened.push(one)
            users[at] = one.user('u')
          },
          async close() {
            while (gate.release(0));
            await Promise.all(opened.map((one) => one.close()))
          },
        },
        gate,
        clock,
      )
    }),
    { seed, numRuns: rounds(20_000, 250) },
  )
})

for (const [name, change] of [
  ['profile.put', (user: UserContexts, version: number) => user.profile.put({ note: `version ${version}` })],
  ['actions.record', (user: UserContexts, version: number) => user.actions.record({ action: `version ${version}` })],
] as const) {
  test(`R5, UC-12 a read begun after ${name} resolved never sees older data, in either of two instances`, async () => {
    printSeed(`read after ${name}`)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 40 }), async (steps) => {
        const gate = new Gate()
        const clock = handClock()
        const memory = await openMemoryStore({ effects: systemEffects })
        // Half of the news names nobody, as that of another process on one file does.
        const bus: Store['bus'] = {
          ...memory.bus,
          subscribe(listener) {
            let heard = 0
            return memory.bus.subscribe((message) => {
              const anonymous = message !== 'gap' && message.topic === 'user' && heard++ % 2 === 0
              listener(anonymous ? { topic: 'user', namespace: message.namespace } : message)
            })
          },
        }
        const store: Store = {
          ...memory,
          bus,
          users: {
            ...memory.users,
            record: async (...order) => gate.through(await memory.users.record(...order)),
            records: async (...order) => gate.through((await memory.users.records(...order)).slice(0, 1)),
          },
        }
        const houses = await Promise.all([0, 1].map(() => openHouse({ ttlMs: 1_000 }, { store, clock })))
        const users = houses.map((one) => one.user('u'))
        let last: Promise<void> = Promise.resolve()
        await play(
          steps,
          {
            users,
            change(at, version) {
              // One after the other, or two instances would decide which is the last.
              last = last.then(async () => {
                clock.advance(1)
                await change(users[at] as UserContexts, version)
              })
              return last
            },
            async close() {
              while (gate.release(0));
              await Promise.all(houses.map((one) => one.contexts.close()))
            },
          },
          gate,
          clock,
        )
      }),
      { seed, numRuns: rounds(100_000, 150) },
    )
  })
}

test('R5, C8 after an erasure nobody is told anything from the life before, and nothing of it comes back', async () => {
  printSeed('read after erasure')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 30 }), async (steps) => {
      const gate = new Gate()
      const clock = handClock()
      const memory = await openMemoryStore({ effects: systemEffects })
      const store: Store = { ...memory, lastGood: gatedLastGood(memory.lastGood, gate) }
      let life = 0
      const options = { ttlMs: 1_000, sources: { profile: () => gate.through({ note: `version ${life}` }) } }
      const houses = await Promise.all([0, 1].map(() => openHouse(options, { store, clock })))
      const users = houses.map((one) => one.user('u'))
      await play(
        steps,
        {
          users,
          async change(at, version) {
            life = version
            const one = houses[at]
            await one?.journal.erase(createSubject('test', 'u'), () => ({ type: 'erased', detail: '', data: {} }))
            await one?.contexts.forget(createSubject('test', 'u'))
          },
          async close() {
            while (gate.release(0));
            await Promise.all(houses.map((one) => one.close()))
          },
        },
        gate,
        clock,
      )
    }),
    { seed, numRuns: rounds(100_000, 150) },
  )
})
