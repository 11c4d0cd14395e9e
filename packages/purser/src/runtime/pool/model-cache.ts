import { redactError } from '../../core/redact.ts'
import { PurserError } from '../../errors.ts'
import type { LiveModel, ModelFactory, ModelRequest } from '../ports.ts'
import type { CloseReason } from './graceful-close.ts'
import { PooledClient, type PooledClientDeps } from './pooled-client.ts'

/** Models kept live per user: presets, sessions and overrides may each want another. */
const MODELS_MAX = 16

export type ModelClient = PooledClient<LiveModel>

/** The live models of one user, one for each set of things that a model depends on. */
export interface ModelCache {
  /** All that are not closed yet, also those that are given to nobody any more. */
  readonly all: ReadonlySet<ModelClient>
  /** The model for this order, built now if need be. Throws `runtime_busy` and what the factory throws. */
  get(order: ModelRequest, credential: string | null): ModelClient
  /** Lets go of models that were made with another version of their secret. */
  retireOutdated(credentialOf: (provider: string) => string | null): void
  retireAll(farewell: CloseReason): Promise<void>
}

export function createModelCache(house: PooledClientDeps, factory: ModelFactory): ModelCache {
  /** In the order of use: the first is the longest unused. */
  const shelf = new Map<string, { readonly client: ModelClient; readonly provider: string }>()
  const all = new Set<ModelClient>()

  function build(key: string, order: ModelRequest, credential: string | null): ModelClient {
    const label = { kind: 'model', name: `${order.provider}/${order.modelId}`, credential } as const
    const client: ModelClient = new PooledClient<LiveModel>(house, label, {
      open: buildModel(factory, order),
      keeper: {
        leaving() {
          if (shelf.get(key)?.client === client) shelf.delete(key)
        },
        gone: () => all.delete(client),
      },
    })
    all.add(client)
    return client
  }

  function makeRoom(): void {
    if (shelf.size < MODELS_MAX) return
    for (const { client } of shelf.values()) {
      if (client.isHeld) continue
      void client.retire('crowded')
      return
    }
    throw new PurserError('runtime_busy', `This user has ${MODELS_MAX} models in use at once.`, { hint: 'Try again.' })
  }

  return {
    all,
    get(order, credential) {
      const key = keyOf(order, credential)
      const client = shelf.get(key)?.client
      if (client === undefined) {
        makeRoom()
        const built = build(key, order, credential)
        shelf.set(key, { client: built, provider: order.provider })
        return built
      }
      shelf.delete(key)
      shelf.set(key, { client, provider: order.provider })
      return client
    },
    retireOutdated(credentialOf) {
      for (const { client, provider } of shelf.values()) {
        if (client.label.credential !== credentialOf(provider)) void client.retire('replaced')
      }
    },
    async retireAll(farewell) {
      await Promise.all([...shelf.values()].map(({ client }) => client.retire(farewell)))
    },
  }
}

function keyOf({ provider, modelId, settings, operatorKeyAllowed }: ModelRequest, credential: string | null): string {
  const { region, deployment, baseURL } = settings
  return JSON.stringify([provider, modelId, region, deployment, baseURL, operatorKeyAllowed, credential])
}

/** A provider made by the application's own function may fail with anything, a key in the message included. */
function buildModel(factory: ModelFactory, order: ModelRequest): LiveModel {
  try {
    return factory.build(order)
  } catch (error) {
    if (PurserError.is(error)) throw error
    throw new PurserError('upstream_failed', `The provider '${order.provider}' could not be made ready.`, {
      hint: 'Look at the cause.',
      cause: redactError(error, Object.values(order.credentials ?? {})),
    })
  }
}
