import { randomBytes } from 'node:crypto'
import { type ContextDeps, type Contexts, createContexts, type UserContexts } from '../../src/context/context.ts'
import { systemEffects } from '../../src/core/effects.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { createSubject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { type OpenJournal, openJournal } from '../../src/journal/journal.ts'
import { type ContextOptions, DEFAULTS } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'

export interface House {
  readonly contexts: Contexts
  readonly journal: OpenJournal<unknown, unknown>
  readonly store: Store
  readonly clock: HandClock
  user(id: string): UserContexts
  close(): Promise<void>
}

const FACETS = { phase: 'dormant', riskLevel: 'low', blocked: false, capUsed: 0, capUsedUntil: null, peak: 0 }

/** Contexts on a memory store and a clock that the test drives. */
export async function openHouse(
  options: Partial<ContextOptions> = {},
  more: Partial<ContextDeps> & { store?: Store; clock?: HandClock } = {},
): Promise<House> {
  const clock = more.clock ?? handClock()
  const effects = more.effects ?? clock
  const store = (more.store as Store | undefined) ?? (await openMemoryStore({ effects: systemEffects }))
  const journal = openJournal<unknown, unknown>({
    store,
    keys: createKeyring(randomBytes(32)),
    effects,
    fold: { initial: {}, unmeasured: {}, evolve: (state) => state, facets: () => FACETS },
  })
  const contexts = createContexts({
    journal,
    options: { ...DEFAULTS.context, ...options },
    timeZone: 'UTC',
    namespace: 'test',
    ...more,
    store,
    effects,
  })
  return {
    contexts,
    journal,
    store,
    clock,
    user: (id) => contexts.of(createSubject('test', id)),
    async close() {
      await contexts.close()
      await journal.close()
    },
  }
}

/** Lets promises and I/O callbacks run, without any time passing. */
export async function turn(times = 4): Promise<void> {
  for (let count = 0; count < times; count++) await new Promise<void>((resolve) => setImmediate(resolve))
}

export interface Deferred<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value): void
  reject(error: unknown): void
}

export function defer<Value>(): Deferred<Value> {
  return Promise.withResolvers<Value>()
}
