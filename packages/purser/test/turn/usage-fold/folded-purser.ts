import { type Effects, openPurser, type Purser } from '../../../src/index.ts'

export interface FoldedClock extends Pick<Effects, 'now' | 'monotonic'> {
  advance(ms: number): void
}

export interface FoldedPurserOptions {
  readonly path: string
  readonly origin: string
  readonly wall: number
}

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64')
const PRICES = { '*/m': { input: '1000', output: '3000', cachedInput: '100' }, 'other/f': { input: '2', output: '7' } }
const UNLIMITED = { max: 1e12, window: 'total' } as const

/** A Purser on files whose users have all kinds of limits, on a clock that goes on and can be moved. */
export async function openFoldedPurser({
  path,
  origin,
  wall,
}: FoldedPurserOptions): Promise<{ readonly purser: Purser; readonly clock: FoldedClock }> {
  let offset = 0
  const startedAt = performance.now()
  const monotonic = (): number => performance.now() + offset
  const now = (): number => Math.floor(wall + monotonic() - startedAt)
  const provider = (name: string, models: string[]) => ({
    kind: 'openai-compatible' as const,
    baseURL: `${origin}/${name}`,
    apiKey: 'key',
    models,
  })
  const purser = await openPurser({
    store: `sqlite:${path}`,
    secretKey: SECRET_KEY,
    effects: { now, monotonic },
    providers: { local: provider('local', ['m', 'n']), other: provider('other', ['f']) },
    runtime: { defaults: { provider: 'local', model: 'm', fallbacks: [{ provider: 'other', model: 'f' }] } },
    answers: { enabled: true },
    prices: PRICES,
    ledger: {
      keepTurns: { maxPerUser: null, maxAgeMs: null },
      limits: [
        { name: 'allTurns', measure: 'turns', ...UNLIMITED },
        { name: 'allTokens', measure: 'tokens', ...UNLIMITED },
      ],
    },
    plans: {
      free: {},
      few: { limits: [{ name: 'few', measure: 'turns', max: 2, window: '1h' }] },
      tokens: { limits: [{ name: 'tokens', measure: 'tokens', max: 3_000, window: 'day' }] },
      down: {
        limits: [
          { name: 'big', measure: 'turns', max: 1, window: '1h', models: ['local/m'], onLimit: { model: 'n' } },
          { name: 'busy', measure: 'concurrent', max: 2 },
        ],
      },
      watched: { limits: [{ name: 'watched', measure: 'turns', max: 1, window: '1h', mode: 'observe' }] },
      blocked: {},
    },
  })
  return {
    purser,
    clock: {
      now,
      monotonic,
      advance(ms) {
        offset += ms
      },
    },
  }
}
