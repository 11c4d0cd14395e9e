import { isJsonObject } from '../../core/merge-patch.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { McpServerOption, ProviderOption } from '../../options.ts'
import type { SettingsPatch } from '../api.ts'
import { placeholderFault } from './mcp-definition.ts'
import { validatePatch } from './validate-patch.ts'

/** What the operator has configured: the names that settings may use, and what stands behind them. */
export interface Catalog {
  readonly defaults: SettingsPatch
  readonly providers: ReadonlyMap<string, ProviderOption>
  readonly presets: ReadonlyMap<string, SettingsPatch>
  readonly servers: ReadonlyMap<string, McpServerOption>
}

export interface Configured {
  readonly defaults: Readonly<Record<string, unknown>>
  readonly providers: Readonly<Record<string, ProviderOption>>
  readonly presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly mcpServers: Readonly<Record<string, McpServerOption>>
}

/** Checks the configuration once, at start, so that a mistake in it never shows up in the middle of a turn. */
export function createCatalog(configured: Configured): Catalog {
  const providers = new Map(Object.entries(configured.providers))
  const servers = new Map(Object.entries(configured.mcpServers))
  for (const [name, provider] of providers) checkProvider(name, provider)
  for (const [name, server] of servers) checkServer(name, server)
  const bare: Catalog = { defaults: {}, providers, presets: new Map(), servers }
  const presets = new Map(
    Object.entries(configured.presets).map(([tag, patch]): [string, SettingsPatch] => [
      tag,
      located(`presets.${tag}`, () => checkPreset(bare, patch)),
    ]),
  )
  const defaults = located('runtime.defaults', () => validatePatch({ ...bare, presets }, configured.defaults))
  return { defaults, providers, presets, servers }
}

/** What the built-in provider's model is called when the configuration does not say. */
const DEMO_MODEL = 'demo'

/** The model a provider is used with when only the provider is named. */
export function usualModel(catalogue: Catalog, provider: string | null): string | null {
  const config = provider === null ? undefined : catalogue.providers.get(provider)
  if (config === undefined || typeof config === 'function') return null
  if (config.defaultModel !== undefined) return config.defaultModel
  if (config.models === undefined) return config.kind === 'demo' ? DEMO_MODEL : null
  return config.models.length === 1 ? (config.models[0] ?? null) : null
}

/** Whether the provider's own allow-list has this model; without a list every model is offered. */
export function offersModel(provider: ProviderOption, model: string): boolean {
  return typeof provider === 'function' || provider.models === undefined || provider.models.includes(model)
}

function checkPreset(catalogue: Catalog, patch: unknown): SettingsPatch {
  if (!isJsonObject(patch) || patch.preset === undefined) return validatePatch(catalogue, patch)
  throw new PurserError('settings_invalid', 'A preset cannot name a preset.')
}

function checkProvider(name: string, provider: unknown): void {
  if (typeof provider === 'function') return
  if (!isJsonObject(provider)) throw invalid(`providers.${name}`, 'is neither an object nor a function')
  const { models, defaultModel } = provider
  const isList = Array.isArray(models) && models.length > 0 && models.every((model) => isText(model))
  if (models !== undefined && !isList) throw invalid(`providers.${name}.models`, 'is not a list of model ids')
  if (defaultModel === undefined) return
  if (!isText(defaultModel)) throw invalid(`providers.${name}.defaultModel`, 'is not a model id')
  if (isList && !models.includes(defaultModel)) {
    throw invalid(
      `providers.${name}.defaultModel`,
      "is not one of the provider's models",
      suggestion(defaultModel, models),
    )
  }
}

function checkServer(name: string, server: unknown): void {
  const path = `mcpServers.${name}`
  if (!isJsonObject(server)) throw invalid(path, 'is not an object')
  const { url, command, headers, args, env } = server
  if ((url === undefined) === (command === undefined)) throw invalid(path, "needs either 'url' or 'command'")
  requireKnown(path, server, url === undefined ? ['command', 'args', 'env'] : ['url', 'headers', 'oauth'])
  if (!isText(url ?? command)) throw invalid(`${path}.${url === undefined ? 'command' : 'url'}`, 'is not text')
  if (args !== undefined && !(Array.isArray(args) && args.every((argument) => typeof argument === 'string'))) {
    throw invalid(`${path}.args`, 'is not a list of texts')
  }
  for (const [field, texts] of Object.entries({ headers, env })) {
    if (texts === undefined) continue
    if (!isJsonObject(texts) || !Object.values(texts).every((text) => typeof text === 'string')) {
      throw invalid(`${path}.${field}`, 'is not an object of texts')
    }
  }
  const fault = placeholderFault(server as unknown as McpServerOption)
  if (fault !== undefined) throw invalid(path, fault)
  if (server.oauth !== undefined) checkOAuth(`${path}.oauth`, server.oauth, headers)
}

function checkOAuth(path: string, oauth: unknown, headers: unknown): void {
  if (!isJsonObject(oauth)) throw invalid(path, 'is not an object')
  requireKnown(path, oauth, ['redirectUrl', 'clientId', 'clientSecret', 'scopes', 'issuer'])
  const { redirectUrl, clientId, clientSecret, scopes, issuer } = oauth
  if (!isText(redirectUrl) || !URL.canParse(redirectUrl)) throw invalid(`${path}.redirectUrl`, 'is not a URL')
  for (const [field, value] of Object.entries({ clientId, clientSecret })) {
    if (value !== undefined && !isText(value)) throw invalid(`${path}.${field}`, 'is not text')
  }
  if (issuer !== undefined && !(isText(issuer) && URL.canParse(issuer))) throw invalid(`${path}.issuer`, 'is not a URL')
  if (clientSecret !== undefined && (clientId === undefined || issuer === undefined)) {
    throw invalid(`${path}.clientSecret`, "needs 'clientId' and 'issuer'", 'They say who gets to see it.')
  }
  const areScopes = Array.isArray(scopes) && scopes.every((scope) => isText(scope) && !/\s/.test(scope))
  if (scopes !== undefined && !areScopes) throw invalid(`${path}.scopes`, 'is not a list of words')
  if (Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'authorization')) {
    throw invalid(path, "stands beside an 'authorization' header", 'Give one of them.')
  }
}

function requireKnown(path: string, given: object, known: readonly string[]): void {
  for (const field of Object.keys(given)) {
    if (known.includes(field)) continue
    throw new PurserError('option_unknown', `There is no option '${path}.${field}'.`, {
      hint: suggestion(field, known) || `Known here: ${known.join(', ')}.`,
    })
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function invalid(path: string, fault: string, hint?: string): PurserError {
  return new PurserError('option_invalid', `The option '${path}' ${fault}.`, { hint: hint || undefined })
}

/** The same mistakes as in a user's patch, told as mistakes in the options. */
function located<T>(path: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!PurserError.is(error)) throw error
    const code = error.code === 'settings_invalid' ? 'option_invalid' : error.code
    throw new PurserError(code, `In the option '${path}': ${error.message}`, { hint: error.hint, cause: error })
  }
}
