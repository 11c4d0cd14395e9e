import { redactError } from '../../core/redact.ts'
import { PurserError } from '../../errors.ts'
import type { LiveModel, ModelFactory, ModelRequest } from '../ports.ts'
import type { CloseReason } from './graceful-close.ts'
import { PooledClient, type PooledClientDeps } from './pooled-client.ts'

/** Live models per user: presets, sessions and overrides may each use another one. */
const MODELS_MAX = 16

export type ModelClient = PooledClient<LiveModel>

/** The live models of one user, one for each distinct `ModelRequest`. */
export interface ModelCache {
  /** Every client that is not closed yet, retired ones included. */
  readonly all: ReadonlySet<ModelClient>
  /** Returns the model of this request, and builds it if needed. Throws `runtime_busy` and the factory's errors. */
  get(request: ModelRequest, credentialVersion: string | null): ModelClient
  /** Retires models that were made with other credentials than the present ones. */
  retireOutdated(getVersion: (provider: string) => string | null): void
  retireAll(reason: CloseReason): Promise<void>
}

export function createModelCache(deps: PooledClientDeps, factory: ModelFactory): ModelCache {
  /** In the order of use: the first is the least recently used. */
  const entries = new Map<string, { readonly client: ModelClient; readonly provider: string }>()
  const all = new Set<ModelClient>()

  function createClient(key: string, request: ModelRequest, credentialVersion: string | null): ModelClient {
    const label = { kind: 'model', name: `${request.provider}/${request.modelId}`, credentialVersion } as const
    const client: ModelClient = new PooledClient<LiveModel>(deps, label, {
      open: buildModel(factory, request),
      listener: {
        onRetired() {
          if (entries.get(key)?.client === client) entries.delete(key)
        },
        onClosed: () => all.delete(client),
      },
    })
    all.add(client)
    return client
  }

  function evictOne(): void {
    if (entries.size < MODELS_MAX) return
    for (const { client } of entries.values()) {
      if (client.isInUse) continue
      void client.retire('capacity')
      return
    }
    throw new PurserError('runtime_busy', `All ${MODELS_MAX} live models of this user are in use.`, {
      hint: 'Try again.',
    })
  }

  return {
    all,
    get(request, credentialVersion) {
      const key = cacheKey(request, credentialVersion)
      const { provider } = request
      let client = entries.get(key)?.client
      if (client === undefined) {
        evictOne()
        client = createClient(key, request, credentialVersion)
      } else entries.delete(key)
      entries.set(key, { client, provider })
      return client
    },
    retireOutdated(getVersion) {
      for (const { client, provider } of entries.values()) {
        if (client.label.credentialVersion !== getVersion(provider)) void client.retire('replaced')
      }
    },
    async retireAll(reason) {
      await Promise.all([...entries.values()].map(({ client }) => client.retire(reason)))
    },
  }
}

function cacheKey(
  { provider, modelId, settings, operatorKeyAllowed }: ModelRequest,
  credentialVersion: string | null,
): string {
  const { region, deployment, baseURL } = settings
  return JSON.stringify([provider, modelId, region, deployment, baseURL, operatorKeyAllowed, credentialVersion])
}

/** A provider function of the application may throw any error, with a key in its message. */
function buildModel(factory: ModelFactory, request: ModelRequest): LiveModel {
  try {
    return factory.build(request)
  } catch (error) {
    if (PurserError.is(error)) throw error
    throw new PurserError('upstream_failed', `The model of the provider '${request.provider}' cannot be built.`, {
      hint: 'See the cause.',
      cause: redactError(error, Object.values(request.credentials ?? {})),
    })
  }
}
