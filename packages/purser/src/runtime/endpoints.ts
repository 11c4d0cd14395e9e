import { ENDPOINTS, type Endpoint } from '../openai/endpoint.ts'
import type { ProviderKind } from '../options/provider-config.ts'
import type { ProviderOption } from '../options.ts'

const OF_ANTHROPIC: readonly Endpoint[] = ['messages', 'messages/count_tokens']
const OF_OPENAI = ENDPOINTS.filter((endpoint) => !OF_ANTHROPIC.includes(endpoint))
/** Servers that imitate OpenAI have seldom its responses. */
const OF_IMITATIONS = OF_OPENAI.filter((endpoint) => endpoint !== 'responses')

const DEFAULTS: { readonly [kind in ProviderKind]?: readonly Endpoint[] } = {
  openai: OF_OPENAI,
  'openai-compatible': OF_IMITATIONS,
  friendli: OF_IMITATIONS,
  anthropic: OF_ANTHROPIC,
}
/** Kinds whose calls Purser makes itself. */
const CALLED_KINDS = Object.keys(DEFAULTS)

/** The endpoints that a configured provider has beside chat completions. */
export function endpointsOf(config: ProviderOption | undefined): readonly Endpoint[] {
  if (config === undefined || typeof config === 'function' || !CALLED_KINDS.includes(config.kind)) return []
  return config.endpoints ?? DEFAULTS[config.kind] ?? []
}
