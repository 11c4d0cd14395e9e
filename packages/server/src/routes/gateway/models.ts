import type { FastifyInstance } from 'fastify'
import { type Purser, PurserError, type Settings } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getActingUser } from './acting-user.ts'

/** A model that a request may name. */
interface ListedModel {
  readonly id: string
  readonly provider: string
}

/** `GET /v1/models`: the models a user may name. */
export function registerModelRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/v1/models',
    defineRoute('chat', { tag: 'gateway', summary: 'Lists the models that this user may name.' }),
    async (request) => {
      const user = getActingUser(request, getIdentity(request))
      const models = user === undefined ? listDefaultModels(context) : await listUserModels(context, user)
      const created = Math.floor(context.startedAt / 1000)
      const data = models.map(({ id, provider }) => ({ id, object: 'model', created, owned_by: provider }))
      return { object: 'list', data }
    },
  )
}

/** Models of the user's provider by their plain ids, models of other providers as `PROVIDER/MODEL`; without repeats. */
async function listUserModels(context: AppContext, id: string): Promise<ListedModel[]> {
  const user = context.purser.user(id)
  const [settings, secrets] = await Promise.all([getSettings(context, id), user.runtime.secrets()])
  const ownProvider = settings?.provider ?? null
  const models = settings === undefined ? [] : listOwnModels(context, settings)
  for (const name of settings?.allowedModels ?? []) {
    const provider = name.slice(0, Math.max(0, name.indexOf('/')))
    if (provider !== ownProvider && context.purser.vocabulary.models.has(provider)) models.push({ id: name, provider })
  }
  // A secret of the user's own opens all models of its provider.
  for (const { name: provider } of secrets) {
    if (provider === ownProvider) continue
    for (const model of getModels(context.purser, provider)) models.push({ id: `${provider}/${model}`, provider })
  }
  return [...new Map(models.map((model) => [model.id, model])).values()]
}

/** Models of the provider in the settings, restricted to `allowedModels`; the model of the settings is always allowed. */
function listOwnModels(context: AppContext, { provider, model, allowedModels }: Settings): ListedModel[] {
  if (provider === null) return []
  const configured = getModels(context.purser, provider)
  const candidates = configured.length > 0 || model === null ? configured : [model]
  return candidates
    .filter(
      (id) =>
        allowedModels === null ||
        id === model ||
        allowedModels.includes(id) ||
        allowedModels.includes(`${provider}/${id}`),
    )
    .map((id) => ({ id, provider }))
}

function listDefaultModels({ purser }: AppContext): ListedModel[] {
  const { provider, model } = purser.vocabulary.defaults
  if (provider === null) return []
  const models = getModels(purser, provider)
  if (models.length > 0) return models.map((id) => ({ id, provider }))
  return model === null ? [] : [{ id: model, provider }]
}

/** Undefined for a user without a usable model, whose list of models is then empty. */
async function getSettings(context: AppContext, id: string): Promise<Settings | undefined> {
  try {
    return await context.purser.user(id).runtime.settings()
  } catch (error) {
    if (PurserError.is(error, 'model_required') || PurserError.is(error, 'provider_unknown')) return undefined
    throw error
  }
}

function getModels({ vocabulary }: Purser, provider: string): readonly string[] {
  return vocabulary.models.get(provider) ?? []
}
