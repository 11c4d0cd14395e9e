import { openPurser, type Purser, type User } from '../../src/index.ts'
import type { ProviderConfig } from '../../src/options/provider-config.ts'
import { openUpstream, type Upstream, type UpstreamHandler } from './provider-upstream.ts'
import { TEST_SECRET_KEY, testStoreUrl } from './test-store.ts'

export interface AiSdkHarnessOptions {
  readonly handler?: UpstreamHandler | undefined
  /** Kind of the provider. Default: `'openai-compatible'`. */
  readonly kind?: ProviderConfig['kind'] | undefined
  readonly dailyCap?: number | undefined
  /** Whether answers are cached. Default: false. */
  readonly answers?: boolean | undefined
}

/** A Purser on a store of `testStoreUrl` whose users run on a fake upstream, with a temperature in the default settings. */
export interface AiSdkHarness extends AsyncDisposable {
  readonly upstream: Upstream
  readonly purser: Purser
  user(id: string): User
}

export async function openAiSdkHarness(options: AiSdkHarnessOptions = {}): Promise<AiSdkHarness> {
  const { handler, kind = 'openai-compatible', dailyCap = 0, answers = false } = options
  const upstream = await openUpstream(handler)
  const purser = await openPurser({
    store: testStoreUrl(),
    secretKey: TEST_SECRET_KEY,
    providers: { p: { kind, baseURL: `${upstream.url}/v1`, apiKey: 'operator-key' } },
    runtime: { defaults: { provider: 'p', model: 'm', parameters: { temperature: 0.25 } } },
    ledger: { dailyCap },
    answers: { enabled: answers },
  })
  return {
    upstream,
    purser,
    user: (id) => purser.user(id),
    async [Symbol.asyncDispose]() {
      await purser.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

/** How many turns of the user the ledger has counted. */
export async function getCount(user: User): Promise<number> {
  return (await user.ledger.quota()).count
}
