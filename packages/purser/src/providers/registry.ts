import type { LookupFunction } from 'node:net'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import { languageModelOver } from '../ai-sdk/language-model.ts'
import type { Effects } from '../core/effects.ts'
import { createRedactor } from '../core/redact.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { ProviderConfig, ProviderKind, ProviderOption } from '../options.ts'
import type { LiveModel, ModelFactory, ModelRequest } from '../runtime/api.ts'
import { chatModelOver } from './ai-sdk/chat-model.ts'
import { lazyLanguageModel } from './ai-sdk/lazy-language-model.ts'
import { anthropic, azure, bedrock, google, openAi, type Packaged } from './ai-sdk/packages.ts'
import { resolveCredentials, secretsOf } from './credentials.ts'
import { createDemo } from './demo.ts'
import { languageModelFrom } from './from-function.ts'
import { createPools } from './http/pools.ts'
import { friendli, openAiCompatible, openAiRelay, type RelayTarget } from './openai-compatible.ts'
import { validateProviders } from './validate-providers.ts'

export interface ModelsOptions {
  readonly effects: Effects
  /** All that may be built, checked at once. */
  readonly providers?: Readonly<Record<string, ProviderOption>> | undefined
  /** How the names of hosts are resolved. Default: the system's way. */
  readonly resolve?: LookupFunction | undefined
}

/** The model factory, and the sockets its models share. */
export interface Models extends ModelFactory {
  /** Cuts what is under way and closes every socket. */
  close(): Promise<void>
}

/** The two faces of one model: for a turn, and for the AI SDK. */
type Faces = Pick<LiveModel, 'chat' | 'model'>

/**
 * Makes live models of every configured kind. Keys come from the user or the configuration, never from the process
 * environment. A provider that speaks chat completions is relayed; others go through the AI SDK's package for them.
 */
export function createModels({ effects, providers = {}, resolve }: ModelsOptions): Models {
  validateProviders(providers)
  const pools = createPools({ resolve })

  function facesOf(order: ModelRequest): Faces {
    const { config } = order
    if (typeof config === 'function') return translated(order, languageModelFrom(order, config))
    return KINDS[config.kind](order, config)
  }

  const target = (order: ModelRequest, config: ProviderConfig): RelayTarget => ({
    order,
    access: resolveCredentials(order, config),
    pools,
    effects,
  })

  function relayed(chat: ChatModel): Faces {
    return { chat, model: languageModelOver(chat) }
  }

  function translated(order: ModelRequest, model: LanguageModelV4): Faces {
    const hide = createRedactor(secretsOf(order))
    return { chat: chatModelOver({ effects, provider: order.provider, language: model, hide }), model }
  }

  const packaged = (make: (target: RelayTarget) => Packaged) => (order: ModelRequest, config: ProviderConfig) =>
    translated(order, lazyLanguageModel(order.provider, order.modelId, make(target(order, config))))

  const KINDS: Readonly<Record<ProviderKind, (order: ModelRequest, config: ProviderConfig) => Faces>> = {
    demo: ({ provider, modelId }) => relayed(createDemo({ effects, provider, model: modelId })),
    'openai-compatible': (order, config) => relayed(openAiCompatible(target(order, config))),
    friendli: (order, config) => relayed(friendli(target(order, config))),
    openai: (order, config) => {
      const where = target(order, config)
      const model = lazyLanguageModel(order.provider, order.modelId, openAi(where))
      return { chat: openAiRelay(where), model }
    },
    anthropic: packaged(anthropic),
    google: packaged(google),
    azure: packaged(azure),
    'amazon-bedrock': packaged(bedrock),
  }

  return {
    build: (order) => ({ ...facesOf(order), close: async () => undefined }),
    close: () => pools.close(),
  }
}
