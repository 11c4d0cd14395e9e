import { PurserError } from '../errors.ts'
import type { ProviderOption } from '../options.ts'
import type { Override, Settings, UserRuntime } from '../runtime/api.ts'

/** Model ids that mean: what this user's settings say. */
const USUAL = new Set(['auto', 'purser'])

export interface TurnOverride {
  readonly session?: string | undefined
  readonly override?: Override | undefined
}

/**
 * Which model a request means. Nothing, `auto` and `purser` mean the user's settings; an id that the user's provider
 * allows means that model there; `PROVIDER/MODEL` means another configured provider, when the user has a key of their
 * own for it or the operator allows it. A choice holds for one turn and is told as an override.
 */
export async function selectModel(
  runtime: UserRuntime,
  providers: Readonly<Record<string, ProviderOption>>,
  requested: string | null | undefined,
  choice: TurnOverride,
): Promise<Override | undefined> {
  if (requested === undefined || requested === null || USUAL.has(requested)) return choice.override
  const { session, override } = choice
  const settings = await runtime.settings({ session, override })
  if (requested === settings.model) return override
  if (allowsHere(providers, settings, requested)) return { ...override, model: requested }
  const slash = requested.indexOf('/')
  const provider = requested.slice(0, Math.max(slash, 0))
  const model = requested.slice(slash + 1)
  // The full name of what is allowed anyway, as answers tell it.
  if (provider === settings.provider && allowsHere(providers, settings, model)) {
    return { ...override, model }
  }
  if (slash > 0 && Object.hasOwn(providers, provider) && (await allowsThere(runtime, settings, provider, requested))) {
    return { ...override, provider, model }
  }
  throw new PurserError('model_not_found', `There is no model '${requested}' for this user.`, {
    hint: "Leave the model out, or use 'auto', to take what the user's settings say; GET /v1/models lists the others.",
    details: { param: 'model' },
  })
}

function allowsHere(providers: Readonly<Record<string, ProviderOption>>, settings: Settings, model: string): boolean {
  if (settings.provider === null) return false
  const config = providers[settings.provider]
  const offered = typeof config === 'function' ? undefined : config?.models
  const allowed = settings.allowedModels
  if (offered !== undefined && !offered.includes(model)) return false
  if (allowed !== null) return allowed.includes(model) || allowed.includes(`${settings.provider}/${model}`)
  return offered !== undefined || !model.includes('/') || !Object.hasOwn(providers, model.slice(0, model.indexOf('/')))
}

async function allowsThere(
  runtime: UserRuntime,
  settings: Settings,
  provider: string,
  requested: string,
): Promise<boolean> {
  if (settings.allowedModels?.includes(requested)) return true
  return (await runtime.secrets()).some((secret) => secret.name === provider)
}
