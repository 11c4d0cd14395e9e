import type { LookupFunction } from 'node:net'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import { LRUCache } from 'lru-cache'
import { createLanguageModel } from '../ai-sdk/language-model.ts'
import { CircuitBreaker } from '../core/circuit-breaker.ts'
import type { Effects } from '../core/effects.ts'
import { createJitter } from '../core/jitter.ts'
import { createRedactor } from '../core/redact.ts'
import type { DemoConfig, ProviderConfig, ProviderKind } from '../options/provider-config.ts'
import { DEFAULTS, type ProviderOption } from '../options.ts'
import type { LiveModel, ModelFactory, ModelRequest } from '../runtime/ports.ts'
import { createAiSdkChatModel } from './ai-sdk/chat-model.ts'
import {
  createAnthropicEndpoints,
  createAnthropicModel,
  createAzureModel,
  createBedrockModel,
  createGoogleModel,
  createOpenAiPackageModel,
} from './ai-sdk/packages.ts'
import { callReliably, type ReliableCallDeps } from './call-reliably.ts'
import { resolveCredentials, secretsOf } from './credentials.ts'
import { createDemoModel } from './demo.ts'
import { createModelFromFunction } from './from-function.ts'
import { openPools } from './http/pools.ts'
import {
  createFriendliModel,
  createOpenAiCompatibleModel,
  createOpenAiModel,
  type HttpModel,
  type OpenAiCompatibleDeps,
} from './openai-compatible.ts'
import { describeTarget } from './target.ts'
import { validateProviders } from './validate-providers.ts'

export interface ProviderRegistryDeps {
  readonly effects: Effects
  /** The configured providers, all validated at once. */
  readonly providers?: Readonly<Record<string, ProviderOption>> | undefined
  /** Limit for one JSON answer, and for one event of a stream. Default: 32 MiB. */
  readonly maxResponseBytes?: number | undefined
  /** Resolver for host names. Default: the operating system's. */
  readonly resolve?: LookupFunction | undefined
}

/** The model factory of the runtime, and the owner of the sockets that its models share. */
export interface ProviderRegistry extends ModelFactory {
  /** Aborts pending calls and closes every socket. */
  close(): Promise<void>
}

/** Failures in a row after which a provider is not called, and for how long. */
const BREAKER = { failures: 5, minBackoffMs: 5_000, maxBackoffMs: 60_000, maxAddresses: 1_000 } as const

/** One model with two interfaces: for turns, and for the AI SDK. */
type Model = Pick<LiveModel, 'chat' | 'model' | 'endpoints'>

/**
 * Builds models of every kind of provider. Keys come from the user or the configuration, never from the process
 * environment. A provider that speaks chat completions is called over HTTP directly; the others through their AI SDK
 * package.
 */
export function openProviderRegistry(deps: ProviderRegistryDeps): ProviderRegistry {
  const { effects, providers = {}, maxResponseBytes = DEFAULTS.runtime.maxResponseBytes, resolve } = deps
  validateProviders(providers)
  const pools = openPools({ resolve })
  const breakers = new LRUCache<string, CircuitBreaker>({ max: BREAKER.maxAddresses })
  const jitter = createJitter(effects.randomId())

  function buildModel(request: ModelRequest): Model {
    const { config } = request
    if (typeof config !== 'function') {
      const { chat, model, endpoints } = BUILDERS[config.kind](request, config)
      const target = describeTarget(request, config)
      const reliable = withReliability({ chat, model, endpoints }, createReliability(request, config, target))
      return { ...reliable, chat: { ...reliable.chat, target } }
    }
    const { chat, model } = fromLanguageModel(request, createModelFromFunction(request, config))
    return { chat: { ...chat, target: `${(model as LanguageModelV4).provider}` }, model }
  }

  function createReliability(
    { provider, modelId, operatorKeyAllowed }: ModelRequest,
    { retries }: ProviderConfig,
    target: string,
  ): ReliableCallDeps {
    const breaker = operatorKeyAllowed ? breakerOf(`${provider} ${target}`) : undefined
    return { effects, provider, model: modelId, retries, breaker, jitter }
  }

  /** One for each provider and address, so that no user stops the calls of others with an address of their own. */
  function breakerOf(key: string): CircuitBreaker {
    let breaker = breakers.get(key)
    if (breaker === undefined) {
      breaker = new CircuitBreaker(BREAKER.failures, { ...BREAKER, jitter })
      breakers.set(key, breaker)
    }
    return breaker
  }

  const createDeps = (request: ModelRequest, config: ProviderConfig): OpenAiCompatibleDeps => ({
    request,
    credentials: resolveCredentials(request, config),
    pools,
    effects,
    maxResponseBytes,
  })

  function fromChatModel({ chat, endpoints }: HttpModel): Model {
    return { chat, model: createLanguageModel(chat), endpoints }
  }

  function fromLanguageModel(request: ModelRequest, languageModel: LanguageModelV4): Model {
    const redact = createRedactor(secretsOf(request))
    const chat = createAiSdkChatModel({ effects, provider: request.provider, languageModel, redact })
    return { chat, model: languageModel }
  }

  const fromPackage =
    (createModel: (deps: OpenAiCompatibleDeps) => LanguageModelV4) => (request: ModelRequest, config: ProviderConfig) =>
      fromLanguageModel(request, createModel(createDeps(request, config)))

  const BUILDERS: Readonly<Record<ProviderKind, (request: ModelRequest, config: ProviderConfig) => Model>> = {
    demo({ provider, modelId }, config) {
      const { tokenMs = 0 } = config as DemoConfig
      return fromChatModel({ chat: createDemoModel({ effects, provider, model: modelId, tokenMs }) })
    },
    'openai-compatible': (...args) => fromChatModel(createOpenAiCompatibleModel(createDeps(...args))),
    friendli: (...args) => fromChatModel(createFriendliModel(createDeps(...args))),
    openai(...args) {
      const deps = createDeps(...args)
      return { ...createOpenAiModel(deps), model: createOpenAiPackageModel(deps) }
    },
    anthropic(...args) {
      const deps = createDeps(...args)
      return { ...fromLanguageModel(args[0], createAnthropicModel(deps)), endpoints: createAnthropicEndpoints(deps) }
    },
    google: fromPackage(createGoogleModel),
    azure: fromPackage(createAzureModel),
    'amazon-bedrock': fromPackage(createBedrockModel),
  }

  return {
    build: (request) => ({ ...buildModel(request), close: async () => undefined }),
    close: () => pools.close(),
  }
}

/** Retries and the breaker, around every call that a turn makes. The AI SDK retries the calls of its own model. */
function withReliability({ chat, endpoints, model }: Model, deps: ReliableCallDeps): Model {
  // A body that can be read once is not sent again.
  const once = { ...deps, retries: undefined }
  return {
    model,
    chat: { ...chat, chat: (request, call) => callReliably(deps, call, () => chat.chat(request, call)) },
    endpoints: endpoints && {
      call: (request, call) =>
        callReliably(typeof request.body === 'string' ? deps : once, call, () => endpoints.call(request, call)),
    },
  }
}
