import type { LanguageModelV4 } from '@ai-sdk/provider'
import { PurserError } from '../../errors.ts'
import type { ModelRequest } from '../../runtime/api.ts'
import { type Credentials, missing } from '../credentials.ts'
import { createGuardedFetch } from '../http/guarded-fetch.ts'
import type { Pools } from '../http/pools.ts'
import { optionalPackage } from '../optional-package.ts'

/** What is known before a provider's package is loaded: everything that can be wrong is found when the model is built. */
export type Packaged = () => Promise<LanguageModelV4>

interface Target {
  readonly order: ModelRequest
  readonly access: Credentials
  readonly pools: Pools
}

/*
 * The packages fall back to the process environment for whatever they are not given: keys, base URLs, regions,
 * resource names, and for Bedrock a bearer token that beats a user's own keys. So each is given everything, and
 * Bedrock an empty bearer token where a user signs; and its fetch reaches the one origin that was decided here.
 */

export function openAi({ order, access, pools }: Target): Packaged {
  const { baseURL, shared } = placeOf(access, pools, 'https://api.openai.com/v1')
  const options = {
    ...shared,
    apiKey: access.required('apiKey'),
    ...optional({ organization: access.field('organization'), project: access.field('project') }),
  }
  return async () => {
    const { createOpenAI } = await optionalPackage('@ai-sdk/openai', () => import('@ai-sdk/openai'))
    const provider = createOpenAI({ ...options, baseURL })
    // Servers that only look like OpenAI know chat completions, but seldom its newer format.
    return access.baseURL === undefined ? provider.responses(order.modelId) : provider.chat(order.modelId)
  }
}

export function anthropic({ order, access, pools }: Target): Packaged {
  const { baseURL, shared } = placeOf(access, pools, 'https://api.anthropic.com/v1')
  const authToken = access.field('authToken')
  const key = authToken === undefined ? { apiKey: access.required('apiKey') } : { authToken }
  return async () => {
    const { createAnthropic } = await optionalPackage('@ai-sdk/anthropic', () => import('@ai-sdk/anthropic'))
    return createAnthropic({ ...shared, ...key, baseURL }).languageModel(order.modelId)
  }
}

export function google({ order, access, pools }: Target): Packaged {
  const { baseURL, shared } = placeOf(access, pools, 'https://generativelanguage.googleapis.com/v1beta')
  const apiKey = access.required('apiKey')
  return async () => {
    const { createGoogle } = await optionalPackage('@ai-sdk/google', () => import('@ai-sdk/google'))
    return createGoogle({ ...shared, apiKey, baseURL }).languageModel(order.modelId)
  }
}

export function azure({ order, access, pools }: Target): Packaged {
  const resource = access.setting('resourceName')
  if (access.baseURL === undefined && resource === undefined) {
    throw notSet(order, 'resourceName', 'Name the Azure resource, or give a baseURL.')
  }
  if (resource !== undefined && !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(resource)) {
    throw notSet(order, 'resourceName', 'It must be one label of a host name: letters, digits and hyphens.')
  }
  const { baseURL, shared } = placeOf(access, pools, `https://${resource}.openai.azure.com/openai`)
  const apiVersion = access.setting('apiVersion')
  const byDeployment = order.config !== null && typeof order.config === 'object' && order.config.useDeploymentBasedUrls
  const options = {
    ...shared,
    apiKey: access.required('apiKey'),
    useDeploymentBasedUrls: byDeployment === true,
    ...optional({ apiVersion }),
  }
  return async () => {
    const { createAzure } = await optionalPackage('@ai-sdk/azure', () => import('@ai-sdk/azure'))
    return createAzure({ ...options, baseURL }).chat(order.settings.deployment ?? order.modelId)
  }
}

export function bedrock({ order, access, pools }: Target): Packaged {
  const region = order.settings.region ?? access.setting('region')
  if (region === undefined)
    throw notSet(order, 'region', "Set it for the user with configure({ region: 'us-east-1' }).")
  if (!/^[a-z]{2,}(?:-[a-z0-9]+)+$/.test(region)) throw notSet(order, 'region', 'It looks like eu-central-1.')
  const { baseURL, shared } = placeOf(access, pools, `https://bedrock-runtime.${region}.${awsDomain(region)}`)
  const bearer = access.field('apiKey')
  const accessKeyId = access.field('accessKeyId')
  const secretAccessKey = access.field('secretAccessKey')
  const sessionToken = access.field('sessionToken')
  if (bearer === undefined && (accessKeyId === undefined || secretAccessKey === undefined)) {
    throw missing(order, accessKeyId === undefined ? 'apiKey' : 'secretAccessKey')
  }
  const key =
    bearer === undefined
      ? { apiKey: '', ...optional({ accessKeyId, secretAccessKey, sessionToken }) }
      : { apiKey: bearer }
  return async () => {
    const { createAmazonBedrock } = await optionalPackage(
      '@ai-sdk/amazon-bedrock',
      () => import('@ai-sdk/amazon-bedrock'),
    )
    return createAmazonBedrock({ ...shared, ...key, region, baseURL }).languageModel(order.modelId)
  }
}

function placeOf(access: Credentials, pools: Pools, usual: string) {
  const url = access.baseURL ?? new URL(usual)
  const fetch = createGuardedFetch(url.origin, pools.door(url, access.trusted || access.baseURL === undefined))
  return { baseURL: url.href.replace(/\/+$/, ''), shared: { fetch, headers: access.headers } }
}

function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
}

function notSet(order: ModelRequest, field: string, hint: string): PurserError {
  return new PurserError('settings_invalid', `The provider '${order.provider}' has no usable '${field}'.`, { hint })
}

function optional<T extends Record<string, string | undefined>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
}
