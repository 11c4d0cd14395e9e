import type { ProviderConfig } from '../options/provider-config.ts'
import type { ModelRequest } from '../runtime/ports.ts'
import { isKeyHeader, isSecretField, resolveCredentials } from './credentials.ts'

/** Fields of a configuration that decide who may call what, and not what answers. */
const ACCESS_FIELDS: ReadonlySet<string> = new Set([
  'models',
  'defaultModel',
  'allowedHosts',
  'userField',
  'headers',
  'endpoints',
  'retries',
])

/** Fields of an account that select another endpoint or another version of it; a user's own replace the operator's. */
const ENDPOINT_FIELDS = ['resourceName', 'apiVersion', 'region', 'organization', 'project', 'teamId'] as const

/**
 * Identifies what answers behind the name of a provider: its kind, address, region, version and headers, without keys. A
 * stored answer is served only while all of these are the same; a changed key changes nothing.
 */
export function describeTarget(request: ModelRequest, config: ProviderConfig): string {
  const { baseURL, setting, headers } = resolveCredentials(request, config)
  const isShaping = ([field]: [string, unknown]) => !ACCESS_FIELDS.has(field) && !isSecretField(field)
  return JSON.stringify({
    ...Object.fromEntries(Object.entries(config).filter(isShaping).sort()),
    ...Object.fromEntries(ENDPOINT_FIELDS.map((field) => [field, setting(field)])),
    baseURL: baseURL?.href,
    headers: Object.entries(headers)
      .filter(([name]) => !isKeyHeader(name))
      .sort(),
  })
}
