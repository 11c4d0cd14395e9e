import { PurserError } from '../errors.ts'
import type { ProviderOption } from '../options.ts'
import type { Override, Settings, UserRuntime } from '../runtime/api.ts'

/** Model ids that stand for the model of the user's settings. */
const DEFAULT_MODEL_IDS = new Set(['auto', 'purser'])

type Providers = Readonly<Record<string, ProviderOption>>

export interface SelectedModel {
  readonly override: Override | undefined
  readonly settings?: Settings
}

/**
 * The override that makes a turn use the requested model. No id, `auto` and `purser` mean the user's settings; an id
 * that the user's provider allows means that model there; `PROVIDER/MODEL` means another configured provider, if the
 * user has a key of their own for it or the operator allows it. The override applies to one turn. `settings` are those of
 * the turn, if they had to be read.
 *
 * Throws `model_not_found`.
 */
export async function selectModel(
  runtime: UserRuntime,
  providers: Providers,
  requested: string | null | undefined,
  { session, override }: { readonly session?: string | undefined; readonly override?: Override | undefined },
): Promise<SelectedModel> {
  if (isDefaultModel(requested)) return { override }
  const settings = await runtime.settings({ session, override })
  if (isModelOf(settings, requested)) return { override, settings }
  if (isAllowedHere(providers, settings, requested)) return { override: { ...override, model: requested } }
  const slash = requested.indexOf('/')
  const provider = requested.slice(0, Math.max(slash, 0))
  const model = requested.slice(slash + 1)
  // The qualified name of an allowed model, as answers report it.
  if (provider === settings.provider && isAllowedHere(providers, settings, model))
    return { override: { ...override, model } }
  const isConfigured = slash > 0 && Object.hasOwn(providers, provider)
  if (isConfigured && (await isAllowedElsewhere(runtime, settings, provider, requested))) {
    return { override: { ...override, provider, model } }
  }
  throw new PurserError('model_not_found', `Model '${requested}' does not exist for this user.`, {
    hint: "Omit the model or use 'auto' for the model of the user's settings. GET /v1/models lists the others.",
    details: { param: 'model' },
  })
}

/** Whether a request runs on the model of these settings. */
export function isModelOf({ model }: Settings, requested: string | null | undefined): boolean {
  return isDefaultModel(requested) || requested === model
}

function isDefaultModel(requested: string | null | undefined): requested is null | undefined {
  return requested === undefined || requested === null || DEFAULT_MODEL_IDS.has(requested)
}

function isAllowedHere(providers: Providers, settings: Settings, model: string): boolean {
  if (settings.provider === null) return false
  const config = providers[settings.provider]
  const offered = typeof config === 'function' ? undefined : config?.models
  const allowed = settings.allowedModels
  if (offered !== undefined && !offered.includes(model)) return false
  // What begins with the name of a provider is a model of that one, unless the user's provider offers it by this name.
  const isOwnName = offered !== undefined || !namesProvider(providers, model)
  if (allowed === null) return isOwnName
  return (isOwnName && allowed.includes(model)) || allowed.includes(`${settings.provider}/${model}`)
}

function namesProvider(providers: Providers, model: string): boolean {
  return model.includes('/') && Object.hasOwn(providers, model.slice(0, model.indexOf('/')))
}

async function isAllowedElsewhere(
  runtime: UserRuntime,
  settings: Settings,
  provider: string,
  requested: string,
): Promise<boolean> {
  if (settings.allowedModels?.includes(requested)) return true
  return (await runtime.secrets()).some((secret) => secret.name === provider)
}
