import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Effects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'
import type { UpstreamEndpoints } from '../../openai/endpoint.ts'
import type { ModelRequest } from '../../runtime/ports.ts'
import { requireAddressedName } from '../addressed-name.ts'
import { type Credentials, secretMissing } from '../credentials.ts'
import { createGuardedFetch } from '../http/guarded-fetch.ts'
import type { Pools } from '../http/pools.ts'
import { createHttpEndpoints } from '../http-endpoints.ts'

/*
 * Models of the AI SDK's provider packages. A package falls back to the process environment for whatever it is not
 * passed: keys, base URLs, regions, resource names, and for Bedrock a bearer token that wins over a user's own keys. So
 * each receives every setting, Bedrock an empty bearer token where a user signs, and a fetch that reaches one origin.
 *
 * Each function throws at once when settings or keys are missing or invalid; the package is imported by the first call.
 */

const ANTHROPIC_URL = 'https://api.anthropic.com/v1'

interface PackageDeps {
  readonly request: ModelRequest
  readonly credentials: Credentials
  readonly pools: Pools
  readonly maxResponseBytes: number
}

export function createOpenAiPackageModel(deps: PackageDeps): LanguageModelV4 {
  const { request, credentials } = deps
  const { baseURL, shared } = resolveEndpoint(deps, 'https://api.openai.com/v1')
  const options = {
    ...shared,
    apiKey: credentials.require('apiKey'),
    ...defined({ organization: credentials.get('organization'), project: credentials.get('project') }),
  }
  return createLazyModel(request, async () => {
    const { createOpenAI } = await importPackage('@ai-sdk/openai', () => import('@ai-sdk/openai'))
    const provider = createOpenAI({ ...options, baseURL })
    // Servers that imitate OpenAI have chat completions, but seldom its responses endpoint.
    return credentials.baseURL === undefined ? provider.responses(request.modelId) : provider.chat(request.modelId)
  })
}

export function createAnthropicModel(deps: PackageDeps): LanguageModelV4 {
  const { request, credentials } = deps
  const { baseURL, shared } = resolveEndpoint(deps, ANTHROPIC_URL)
  const authToken = credentials.get('authToken')
  const key = authToken === undefined ? { apiKey: credentials.require('apiKey') } : { authToken }
  return createLazyModel(request, async () => {
    const { createAnthropic } = await importPackage('@ai-sdk/anthropic', () => import('@ai-sdk/anthropic'))
    return createAnthropic({ ...shared, ...key, baseURL }).languageModel(request.modelId)
  })
}

/** Anthropic's own endpoints, for requests in its format. */
export function createAnthropicEndpoints(deps: PackageDeps & { readonly effects: Effects }): UpstreamEndpoints {
  const { request, credentials, pools, maxResponseBytes, effects } = deps
  const baseURL = credentials.baseURL ?? new URL(ANTHROPIC_URL)
  const authToken = credentials.get('authToken')
  const key: Record<string, string> =
    authToken === undefined ? { 'x-api-key': credentials.require('apiKey') } : { authorization: `Bearer ${authToken}` }
  return createHttpEndpoints({
    effects,
    provider: request.provider,
    getDispatcher: pools.dispatcherFor(baseURL, credentials.isTrusted || credentials.baseURL === undefined),
    baseURL,
    headers: { ...key, ...credentials.headers },
    maxResponseBytes,
  })
}

export function createGoogleModel(deps: PackageDeps): LanguageModelV4 {
  const { request, credentials } = deps
  const { baseURL, shared } = resolveEndpoint(deps, 'https://generativelanguage.googleapis.com/v1beta')
  const apiKey = credentials.require('apiKey')
  const model = requireAddressedName(request, 'google', request.modelId)
  return createLazyModel(request, async () => {
    const { createGoogle } = await importPackage('@ai-sdk/google', () => import('@ai-sdk/google'))
    return createGoogle({ ...shared, apiKey, baseURL }).languageModel(model)
  })
}

export function createAzureModel(deps: PackageDeps): LanguageModelV4 {
  const { request, credentials } = deps
  const resource = credentials.setting('resourceName')
  if (credentials.baseURL === undefined && resource === undefined) {
    throw settingInvalid(request, 'resourceName', 'Set the name of the Azure resource, or a baseURL.')
  }
  if (resource !== undefined && !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(resource)) {
    throw settingInvalid(request, 'resourceName', 'It must be one label of a host name: letters, digits and hyphens.')
  }
  const { baseURL, shared } = resolveEndpoint(deps, `https://${resource}.openai.azure.com/openai`)
  const { config, settings } = request
  const deployment = requireAddressedName(request, 'azure', settings.deployment ?? request.modelId)
  const options = {
    ...shared,
    apiKey: credentials.require('apiKey'),
    useDeploymentBasedUrls:
      typeof config === 'object' && config.kind === 'azure' && config.useDeploymentBasedUrls === true,
    ...defined({ apiVersion: credentials.setting('apiVersion') }),
  }
  return createLazyModel(request, async () => {
    const { createAzure } = await importPackage('@ai-sdk/azure', () => import('@ai-sdk/azure'))
    return createAzure({ ...options, baseURL }).chat(deployment)
  })
}

export function createBedrockModel(deps: PackageDeps): LanguageModelV4 {
  const { request, credentials } = deps
  const region = request.settings.region ?? credentials.setting('region')
  if (region === undefined) {
    throw settingInvalid(request, 'region', "Set it for the user with configure({ region: 'us-east-1' }).")
  }
  if (!/^[a-z]{2,}(?:-[a-z0-9]+)+$/.test(region)) throw settingInvalid(request, 'region', 'Example: eu-central-1.')
  const { baseURL, shared } = resolveEndpoint(deps, `https://bedrock-runtime.${region}.${awsDomainOf(region)}`)
  const key = resolveAwsKey(deps)
  const model = requireAddressedName(request, 'amazon-bedrock', request.modelId)
  return createLazyModel(request, async () => {
    const { createAmazonBedrock } = await importPackage(
      '@ai-sdk/amazon-bedrock',
      () => import('@ai-sdk/amazon-bedrock'),
    )
    return createAmazonBedrock({ ...shared, ...key, region, baseURL }).languageModel(model)
  })
}

/** A bearer token, or the keys for signing. */
function resolveAwsKey({ request, credentials }: PackageDeps) {
  const apiKey = credentials.get('apiKey')
  if (apiKey !== undefined) return { apiKey }
  const accessKeyId = credentials.get('accessKeyId')
  const secretAccessKey = credentials.get('secretAccessKey')
  if (accessKeyId === undefined) throw secretMissing(request, 'apiKey')
  if (secretAccessKey === undefined) throw secretMissing(request, 'secretAccessKey')
  return { apiKey: '', accessKeyId, secretAccessKey, ...defined({ sessionToken: credentials.get('sessionToken') }) }
}

function awsDomainOf(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
}

function resolveEndpoint({ credentials, pools, maxResponseBytes }: PackageDeps, defaultURL: string) {
  const url = credentials.baseURL ?? new URL(defaultURL)
  const isTrusted = credentials.isTrusted || credentials.baseURL === undefined
  const getDispatcher = pools.dispatcherFor(url, isTrusted)
  const fetch = createGuardedFetch({ origin: url.origin, getDispatcher, maxResponseBytes })
  return { baseURL: url.href.replace(/\/+$/, ''), shared: { fetch, headers: credentials.headers } }
}

/** Creates the model with its first call, so that no provider package is imported without need. */
export function createLazyModel(
  { provider, modelId }: Pick<ModelRequest, 'provider' | 'modelId'>,
  create: () => Promise<LanguageModelV4>,
): LanguageModelV4 {
  let created: Promise<LanguageModelV4> | undefined
  const getModel = (): Promise<LanguageModelV4> => {
    created ??= create()
    // A package that was missing may be installed by the next call.
    created.catch(() => {
      created = undefined
    })
    return created
  }
  return {
    specificationVersion: 'v4',
    provider,
    modelId,
    get supportedUrls() {
      return getModel().then((model) => model.supportedUrls)
    },
    doGenerate: async (options) => (await getModel()).doGenerate(options),
    doStream: async (options) => (await getModel()).doStream(options),
  }
}

/** Imports an optional package; `package_missing` with the command that installs it when it is not there. */
export async function importPackage<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new PurserError('package_missing', `The package '${name}' is not installed.`, {
      hint: `npm install ${name}`,
      cause,
      details: { package: name },
    })
  }
}

function settingInvalid(request: ModelRequest, field: string, hint: string): PurserError {
  return new PurserError('settings_invalid', `The provider '${request.provider}' has no usable '${field}'.`, { hint })
}

function defined<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
}
