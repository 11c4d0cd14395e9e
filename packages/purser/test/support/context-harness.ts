import { randomBytes } from 'node:crypto'
import {
  type ContextDeps,
  type ContextModule,
  createContext,
  type UserContextModule,
} from '../../src/context/context.ts'
import { systemEffects } from '../../src/core/effects.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { createSubject } from '../../src/core/subject.ts'
import type { UserData } from '../../src/journal/event.ts'
import { type OpenJournal, openJournal } from '../../src/journal/journal.ts'
import { type ContextOptions, DEFAULTS } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { openTestStore } from './test-store.ts'

export interface ContextHarness extends AsyncDisposable {
  readonly module: ContextModule
  readonly journal: OpenJournal<UserData>
  readonly store: Store
  readonly clock: HandClock
  user(id: string): UserContextModule
  /** The same configuration with an empty cache, as in another process on the same store and clock. */
  reopen(): Promise<ContextHarness>
}

export interface ContextHarnessDeps
  extends Partial<Pick<ContextDeps, 'effects' | 'limits' | 'timeZone' | 'timeZoneOf'>> {
  readonly store?: Store
  readonly clock?: HandClock
}

const FACETS = { phase: 'dormant', riskLevel: 'low', blocked: false, capUsed: 0, capUsedUntil: null, peak: 0 }

/** The context module on a store of `openTestStore` and a clock that the test moves. Disposal leaves the store open. */
export async function openContextHarness(
  options: Partial<ContextOptions> = {},
  deps: ContextHarnessDeps = {},
): Promise<ContextHarness> {
  const clock = deps.clock ?? handClock()
  const effects = deps.effects ?? clock
  const store = deps.store ?? (await openTestStore(systemEffects))
  const journal = openJournal<UserData>({
    store,
    keys: createKeyring(randomBytes(32)),
    effects,
    fold: { initial: { state: {}, measurements: {}, usage: {} }, evolve: (state) => state, facets: () => FACETS },
  })
  const { limits, timeZone = 'UTC', timeZoneOf } = deps
  const module = createContext({
    store,
    lastGood: store.lastGood,
    journal,
    effects,
    // The tests of rendering are about the formats of the first application unless they name a mode.
    options: { ...DEFAULTS.context, mode: 'reuse', ...options },
    timeZone,
    namespace: 'test',
    limits,
    timeZoneOf,
  })
  return {
    module,
    journal,
    store,
    clock,
    user: (id) => module.of(createSubject('test', id)),
    reopen: () => openContextHarness(options, { ...deps, store, clock }),
    async [Symbol.asyncDispose]() {
      await module.close()
      await journal.close()
    },
  }
}

/** Lets promises and I/O callbacks run, without any time passing. */
export async function runCallbacks(times = 4): Promise<void> {
  for (let count = 0; count < times; count++) await new Promise<void>((resolve) => setImmediate(resolve))
}
