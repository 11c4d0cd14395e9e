import { isObject, validateFields } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import type { McpServerOption } from '../../options.ts'
import { findPlaceholderError } from './mcp-definition.ts'

/** Validates one entry of the option `mcpServers`. Throws `option_invalid` or `option_unknown`. */
export function validateMcpServer(name: string, server: unknown): void {
  const path = `mcpServers.${name}`
  if (!isObject(server)) throw invalidOption(path, 'must be an object')
  const isHttp = server.url !== undefined
  if (isHttp === (server.command !== undefined)) throw invalidOption(path, "must have either 'url' or 'command'")
  if (isHttp) validateHttpServer(path, server)
  else validateProcessServer(path, server)
  const error = findPlaceholderError(server as unknown as McpServerOption)
  if (error !== undefined) throw invalidOption(path, error)
  if (server.oauth !== undefined) validateOAuth(`${path}.oauth`, server.oauth, server.headers)
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** `rule` continues the sentence "The option 'path' …". */
export function invalidOption(path: string, rule: string, hint?: string): PurserError {
  return new PurserError('option_invalid', `The option '${path}' ${rule}.`, { hint: hint || undefined })
}

function validateHttpServer(path: string, server: Readonly<Record<string, unknown>>): void {
  validateFields(server, ['url', 'headers', 'oauth'], { name: path, code: 'option_unknown' })
  if (!isHttpUrl(server.url)) {
    throw invalidOption(`${path}.url`, 'must be an http or https URL', 'Example: https://host/mcp')
  }
  validateTextFields(`${path}.headers`, server.headers)
}

/** Placeholders are allowed: a URL may contain braces behind its host. */
function isHttpUrl(url: unknown): boolean {
  return isText(url) && /^https?:\/\//i.test(url) && URL.canParse(url.replaceAll(/[{}]/g, ''))
}

function validateProcessServer(path: string, server: Readonly<Record<string, unknown>>): void {
  const { command, args, env } = server
  validateFields(server, ['command', 'args', 'env'], { name: path, code: 'option_unknown' })
  if (!isText(command)) throw invalidOption(`${path}.command`, 'must be text')
  if (args !== undefined && !(Array.isArray(args) && args.every((argument) => typeof argument === 'string'))) {
    throw invalidOption(`${path}.args`, 'must be a list of texts')
  }
  validateTextFields(`${path}.env`, env)
}

function validateTextFields(path: string, fields: unknown): void {
  if (fields === undefined) return
  if (isObject(fields) && Object.values(fields).every((text) => typeof text === 'string')) return
  throw invalidOption(path, 'must be an object of texts')
}

function validateOAuth(path: string, oauth: unknown, headers: unknown): void {
  if (!isObject(oauth)) throw invalidOption(path, 'must be an object')
  const known = ['redirectUrl', 'clientId', 'clientSecret', 'scopes', 'issuer']
  validateFields(oauth, known, { name: path, code: 'option_unknown' })
  validateOAuthFields(path, oauth)
  if (oauth.clientSecret !== undefined && (oauth.clientId === undefined || oauth.issuer === undefined)) {
    throw invalidOption(
      `${path}.clientSecret`,
      "requires 'clientId' and 'issuer'",
      'They determine which server receives the secret.',
    )
  }
  if (Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'authorization')) {
    throw invalidOption(path, "must not be combined with an 'authorization' header", 'Configure one of them.')
  }
}

function validateOAuthFields(path: string, oauth: Readonly<Record<string, unknown>>): void {
  const { redirectUrl, clientId, clientSecret, scopes, issuer } = oauth
  if (!isUrl(redirectUrl)) throw invalidOption(`${path}.redirectUrl`, 'must be a URL')
  for (const [field, value] of Object.entries({ clientId, clientSecret })) {
    if (value !== undefined && !isText(value)) throw invalidOption(`${path}.${field}`, 'must be text')
  }
  if (issuer !== undefined && !isUrl(issuer)) throw invalidOption(`${path}.issuer`, 'must be a URL')
  const areScopes = Array.isArray(scopes) && scopes.every((scope) => isText(scope) && !/\s/.test(scope))
  if (scopes !== undefined && !areScopes) throw invalidOption(`${path}.scopes`, 'must be a list of words')
}

function isUrl(value: unknown): boolean {
  return isText(value) && URL.canParse(value)
}
