import { type Limit, openPurser, type Purser, systemEffects } from '../../../src/index.ts'

/** What a process has settled: its tokens, and those beyond what was held for them. */
export interface SettledTurns {
  readonly turns: number
  readonly tokens: number
  readonly excess: number
}

/** Of one process. */
export const TURNS_IN_PROGRESS = 12
/** What one of them may use beyond its hold. */
export const MAX_EXCESS = 300
export const MAX_TOKENS = 6_000
/** Two of three processes fit. */
export const MAX_SLOTS: number = 2 * TURNS_IN_PROGRESS
const SECRET_KEY = Buffer.alloc(32, 7).toString('base64')

const LIMITS: Limit[] = [
  { name: 'tokens', measure: 'tokens', max: MAX_TOKENS, window: 'total' },
  { name: 'turns', measure: 'turns', max: 100_000, window: 'total' },
  { name: 'slots', measure: 'concurrent', max: MAX_SLOTS },
]

/** A Purser on a clock that can be moved ahead. */
export async function openHeldPurser(store: string): Promise<{ readonly purser: Purser; advance(ms: number): void }> {
  let offset = 0
  const purser = await openPurser({
    store,
    secretKey: SECRET_KEY,
    effects: { now: () => systemEffects.now() + offset, monotonic: () => systemEffects.monotonic() + offset },
    ledger: { limits: LIMITS },
  })
  return {
    purser,
    advance(ms) {
      offset += ms
    },
  }
}
