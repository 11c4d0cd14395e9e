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
      const models = await listModels(context, getActingUser(request, getIdentity(request)))
      const data = models.map((model) => describeModel(context, model))
      // The last three are Anthropic's; the list is always whole.
      return { object: 'list', data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
    },
  )
  app.get<{ Params: { id: string } }>(
    '/v1/models/:id',
    defineRoute('chat', { tag: 'gateway', summary: 'Returns one model that this user may name.' }),
    async (request) => {
      const { id } = request.params
      const models = await listModels(context, getActingUser(request, getIdentity(request)))
      const model = models.find((listed) => isNameOf(listed, id))
      if (model !== undefined) return describeModel(context, { ...model, id })
      throw new PurserError('model_not_found', `Model '${id}' does not exist for this user.`, {
        hint: 'GET /v1/models lists the models.',
        details: { param: 'model' },
      })
    },
  )
}

/** `auto`, and the models that the user may name; without a user all configured models. */
async function listModels(context: AppContext, user: string | undefined): Promise<ListedModel[]> {
  return user === undefined ? listConfiguredModels(context) : await listUserModels(context, user)
}

/** Whether a request may name the model so. */
function isNameOf({ id, provider }: ListedModel, name: string): boolean {
  if (name === id) return true
  if (id === AUTO.id) return name === 'purser'
  return !id.startsWith(`${provider}/`) && name === `${provider}/${id}`
}

/** In OpenAI's format, with the fields of Anthropic's beside them. */
function describeModel({ startedAt, purser }: AppContext, { id, provider }: ListedModel): ModelDescription {
  const { contextLengths } = purser.vocabulary
  const length = contextLengths.get(`${provider}/${id}`) ?? contextLengths.get(id)
  const createdAt = new Date(startedAt).toISOString()
  const created = Math.floor(startedAt / 1000)
  return {
    id,
    object: 'model',
    created,
    owned_by: provider,
    type: 'model',
    display_name: id,
    created_at: createdAt,
    ...(length === undefined ? {} : { context_length: length }),
  }
}

interface ModelDescription {
  readonly id: string
  readonly object: 'model'
  /** Epoch seconds. */
  readonly created: number
  /** The provider's name. */
  readonly owned_by: string
  readonly type: 'model'
  readonly display_name: string
  readonly created_at: string
  /** In tokens; absent where it is not configured. */
  readonly context_length?: number
}

const AUTO: ListedModel = { id: 'auto', provider: 'purser' }

/** Models of the user's provider by their plain ids, models of other providers as `PROVIDER/MODEL`; without repeats. */
async function listUserModels(context: AppContext, id: string): Promise<ListedModel[]> {
  const user = context.purser.user(id)
  const [settings, secrets] = await Promise.all([getSettings(context, id), user.runtime.secrets()])
  const ownProvider = settings?.provider ?? null
  const models = settings === undefined ? [] : listOwnModels(context, settings)
  if ((settings?.model ?? null) !== null) models.unshift(AUTO)
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

/** The models of the default provider by their plain ids, all others as `PROVIDER/MODEL`. */
function listConfiguredModels({ purser }: AppContext): ListedModel[] {
  const { defaults, models } = purser.vocabulary
  const listed = defaults.model === null ? [] : [AUTO]
  if (defaults.provider !== null) {
    const own = getModels(purser, defaults.provider)
    const ids = own.length > 0 || defaults.model === null ? own : [defaults.model]
    for (const id of ids) listed.push({ id, provider: defaults.provider })
  }
  for (const [provider, ids] of models) {
    if (provider !== defaults.provider) for (const id of ids) listed.push({ id: `${provider}/${id}`, provider })
  }
  return listed
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
