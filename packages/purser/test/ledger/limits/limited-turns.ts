import type { Limit, ModelPrice } from '../../../src/options.ts'

/** Limits on turns, tokens and money at once, so that each of them refuses some turns. Costs are millionths of the unit. */
export const LIMITED: {
  readonly dailyCap: number
  readonly limits: Limit[]
  readonly prices: Record<string, ModelPrice>
} = {
  dailyCap: 150,
  limits: [
    { name: 'tokens', measure: 'tokens', max: 20_000, window: 'day' },
    { name: 'cost', measure: 'cost', max: '0.04', window: 'month' },
  ],
  prices: { '*': { input: '1', output: '3' } },
}

export interface Tokens {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Of a call, at the price above, in millionths. */
export function costOf({ inputTokens, outputTokens }: Tokens): number {
  return inputTokens + 3 * outputTokens
}

/** Whole numbers from 0 to `max`, the same ones for the same seed. */
export function createRandom(seed: number): (max: number) => number {
  let state = seed
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * (max + 1))
  }
}
