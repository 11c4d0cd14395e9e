import { openPurser, type Purser, type PurserOptions, type SimulateOptions } from '../../src/index.ts'
import type { HandClock } from '../../src/testing/index.ts'
import { createTokenProvider } from './token-provider.ts'

/** The secret key of stored fixtures. */
const SECRET_KEY = Buffer.alloc(32, 7).toString('base64')

/** A Purser whose options do not change, so that fixtures of all versions can be opened with it. */
export function openFixedPurser(store: string, effects: HandClock): Promise<Purser> {
  const options: PurserOptions = {
    store,
    secretKey: SECRET_KEY,
    effects,
    providers: { local: createTokenProvider() },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    prices: { 'local/m': { input: '1000', output: '2000' } },
    ledger: { dailyCap: 4, limits: [{ name: 'tokens', measure: 'tokens', max: 10_000, window: 'total' }] },
    plans: { pro: { limits: [{ name: 'tokens', measure: 'tokens', max: 90_000, window: 'total' }] } },
  }
  return openPurser(options)
}

/** What a store says of its turns. */
export async function readRecords(purser: Purser, users: readonly string[]): Promise<unknown> {
  const range = { from: '2026-01-01' }
  const read = async (id: string): Promise<unknown> => {
    const user = purser.user(id)
    return {
      turns: await user.turns(),
      days: await user.usage({ by: 'day', ...range }),
      models: await user.usage({ by: 'model', ...range }),
      limits: await user.usage({ by: 'limit', ...range }),
      states: await user.ledger.limits(),
    }
  }
  const proposal: SimulateOptions = { limits: [{ name: 'one', measure: 'turns', max: 1, window: 'day' }] }
  return {
    users: await Promise.all(users.map(read)),
    plans: await purser.usage({ by: 'plan', ...range }),
    hours: await purser.usage({ by: 'hour', ...range }),
    simulation: await purser.simulate(proposal),
    days: await purser.overviewByDay({ from: '2026-03-01' }),
  }
}
