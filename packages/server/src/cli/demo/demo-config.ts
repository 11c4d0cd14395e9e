import type { ConfigFile } from '../../config/schema.ts'
import { DEMO_PHASES, DEMO_RISKS } from './demo-data.ts'

const HOUR_MS = 3_600_000

/**
 * The configuration of the demo; only flags take precedence. A configuration file or environment variables would name a
 * real store, into which the demo must not write.
 */
export function createDemoConfig(upstreamUrl: string): ConfigFile {
  const tokens = { name: 'tokens-5h', measure: 'tokens', window: '5h', alertAt: [0.8] } as const
  return {
    store: 'memory:',
    providers: {
      demo: { kind: 'demo', models: ['small', 'large'], defaultModel: 'small', tokenMs: 9 },
      hosted: { kind: 'openai-compatible', baseURL: `${upstreamUrl}/v1`, apiKey: '', models: ['medium'] },
    },
    runtime: { defaults: { provider: 'demo', model: 'small' } },
    prices: { 'demo/small': { input: '0.4', output: '1.6' }, '*': { input: '2', output: '8', cachedInput: '0.5' } },
    ledger: { dailyCap: 8, phases: [...DEMO_PHASES], riskLevels: [...DEMO_RISKS], plan: 'free' },
    plans: {
      free: { limits: [{ ...tokens, max: 1_600 }] },
      plus: {
        limits: [
          { name: 'daily', measure: 'turns', max: 60, window: 'day' },
          { ...tokens, max: 12_000 },
          { name: 'cost-month', measure: 'cost', max: '1.00', window: 'month', alertAt: [0.8, 1] },
        ],
        runtime: { provider: 'demo', model: 'large' },
      },
      team: {
        extends: 'plus',
        limits: [
          { name: 'daily', measure: 'turns', max: null, window: 'day' },
          { ...tokens, max: 100_000 },
        ],
        runtime: { provider: 'hosted', model: 'medium' },
      },
    },
    context: { ttlMs: 6 * HOUR_MS },
    answers: { enabled: true },
    server: { allowPrivateWebhooks: true },
  }
}
