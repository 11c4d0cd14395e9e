import type { FastifyInstance } from 'fastify'
import { PurserError, type Settings } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { identityOf } from '../../auth/authenticate.ts'
import { route } from '../../http/route.ts'
import { namedUser, requiredUser } from './acting-user.ts'

interface Offer {
  readonly id: string
  readonly provider: string
}

/** `GET /v1/models`: what this user may name; and `GET /v1/me`: what is left to them. */
export function modelRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/v1/models',
    route('chat', { tag: 'gateway', summary: 'The models this user may name.' }),
    async (request) => {
      const user = namedUser(request, identityOf(request))
      const offers = user === undefined ? defaults(house) : await offersTo(house, user)
      const created = Math.floor(house.startedAt / 1000)
      const data = offers.map(({ id, provider }) => ({ id, object: 'model', created, owned_by: provider }))
      return { object: 'list', data }
    },
  )
  app.get('/v1/me', route('chat', { tag: 'gateway', summary: 'What is left of the quota.' }), async (request) => {
    const user = house.purser.user(requiredUser(request, identityOf(request)))
    const [quota, settings, bond] = await Promise.all([
      user.ledger.quota(),
      settingsOf(house, user.id),
      user.ledger.bond(),
    ])
    return {
      user: user.id,
      ...quota,
      blocked: bond.blocked !== null,
      provider: settings?.provider ?? null,
      model: settings?.model ?? null,
    }
  })
}

/** The user's own provider's models by their plain ids, and others as `PROVIDER/MODEL`. */
async function offersTo(house: AppContext, id: string): Promise<Offer[]> {
  const user = house.purser.user(id)
  const [settings, secrets] = await Promise.all([settingsOf(house, id), user.runtime.secrets()])
  const own = settings?.provider ?? null
  const allowed = settings?.allowedModels ?? null
  const offers: Offer[] = []
  if (own !== null) {
    const models = modelsOf(house, own)
    for (const model of models.length > 0 ? models : [settings?.model ?? null]) {
      if (model === null) continue
      if (
        allowed !== null &&
        model !== settings?.model &&
        !allowed.includes(model) &&
        !allowed.includes(`${own}/${model}`)
      )
        continue
      offers.push({ id: model, provider: own })
    }
  }
  for (const name of allowed ?? []) {
    const provider = name.slice(0, Math.max(0, name.indexOf('/')))
    if (provider !== own && providersOf(house)[provider] !== undefined) offers.push({ id: name, provider })
  }
  for (const { name } of secrets) {
    if (name === own) continue
    for (const model of modelsOf(house, name)) offers.push({ id: `${name}/${model}`, provider: name })
  }
  return [...new Map(offers.map((offer) => [offer.id, offer])).values()]
}

function defaults(house: AppContext): Offer[] {
  const { provider, model } = house.config?.runtime?.defaults ?? {}
  if (typeof provider !== 'string') return []
  const models = modelsOf(house, provider)
  if (models.length > 0) return models.map((id) => ({ id, provider }))
  return typeof model === 'string' ? [{ id: model, provider }] : []
}

/** A user without a usable model still has a list: an empty one. */
async function settingsOf(house: AppContext, id: string): Promise<Settings | undefined> {
  try {
    return await house.purser.user(id).runtime.settings()
  } catch (error) {
    if (PurserError.is(error, 'model_required') || PurserError.is(error, 'provider_unknown')) return undefined
    throw error
  }
}

function modelsOf(house: AppContext, provider: string): readonly string[] {
  const config = providersOf(house)[provider]
  return config?.models ?? (typeof config?.defaultModel === 'string' ? [config.defaultModel] : [])
}

function providersOf(house: AppContext): NonNullable<NonNullable<AppContext['config']>['providers']> {
  return house.config?.providers ?? {}
}
