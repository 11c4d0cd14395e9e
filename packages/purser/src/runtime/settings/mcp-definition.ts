import { PurserError } from '../../errors.ts'
import type { McpServerOption } from '../../options.ts'
import type { Credentials } from '../secrets.ts'

/*
 * One definition of an MCP server serves all users: the placeholders `{user}` and `{secret.FIELD}` in its URL, headers
 * and environment are filled in for each user. Filled-in values are not scanned again, so a value cannot introduce a
 * placeholder.
 */

const PLACEHOLDER = /\{(?:user|secret\.([A-Za-z][\w-]{0,63}))\}/g
/** `{secret}`, `{user_id}`, `{USER}`: meant as placeholders, and otherwise sent as they are. */
const LOOKALIKE = /\{(?:user|secret)[^{}]*\}/gi
const EXACT = new RegExp(`^${PLACEHOLDER.source}$`)

export interface PlaceholderValues {
  readonly server: string
  readonly user: string
  /** The user's own; null without a secret for this server. */
  readonly credentials: Credentials | null
}

/** Throws `secret_missing` when a field is required that the user has not set. */
export function fillDefinition(definition: McpServerOption, values: PlaceholderValues): McpServerOption {
  if ('url' in definition) {
    const headers = mapValues(definition.headers, (text) => fill(text, values, encodeHeaderValue))
    return { url: fillURL(definition.url, values), ...(headers && { headers }) }
  }
  const env = mapValues(definition.env, (text) => fill(text, values, (value) => value))
  return { command: definition.command, ...(definition.args && { args: definition.args }), ...(env && { env }) }
}

/** Returns the error in the placeholders of a definition, as the end of a sentence; undefined when they are valid. */
export function findPlaceholderError(definition: McpServerOption): string | undefined {
  const texts =
    'url' in definition
      ? [definition.url, ...Object.values(definition.headers ?? {})]
      : [definition.command, ...(definition.args ?? []), ...Object.values(definition.env ?? {})]
  const lookalikes = texts.flatMap((text) => text.match(LOOKALIKE) ?? [])
  if (!lookalikes.every((lookalike) => EXACT.test(lookalike)))
    return 'has a placeholder that is neither {user} nor {secret.FIELD}'
  if ('url' in definition) {
    const origin = /^[^/]*\/\/[^/?#]*/.exec(definition.url)?.[0] ?? definition.url
    return origin.includes('{') ? 'must not have a placeholder in its host, which would choose the server' : undefined
  }
  const commandLine = [definition.command, ...(definition.args ?? [])]
  return commandLine.some((text) => text.match(PLACEHOLDER) !== null)
    ? 'must not have a placeholder in its command line, which every process can read; use env'
    : undefined
}

type Encode = (value: string, source: { readonly server: string; readonly field: string | undefined }) => string

function fill(text: string, { server, user, credentials }: PlaceholderValues, encode: Encode): string {
  return text.replace(PLACEHOLDER, (_, field: string | undefined) => {
    const value = field === undefined ? user : getField(credentials, field)
    if (value !== undefined) return encode(value, { server, field })
    throw new PurserError('secret_missing', `The MCP server '${server}' requires the user's secret field '${field}'.`, {
      hint: `Set it with setSecret('${server}', { ${field}: … }).`,
      details: { name: server, field },
    })
  })
}

/** A segment `..` cannot be encoded: it selects another path in every form. */
function fillURL(template: string, values: PlaceholderValues): string {
  const url = fill(template, values, encodeURIComponent)
  if (!hasDotSegment(url) || hasDotSegment(template)) return url
  throw new PurserError('secret_invalid', `A field that fills the URL of '${values.server}' is not a path segment.`)
}

function hasDotSegment(url: string): boolean {
  return /\/(?:\.|%2e){1,2}(?:[/?#]|$)/i.test(url)
}

function getField(credentials: Credentials | null, field: string): string | undefined {
  return credentials !== null && Object.hasOwn(credentials, field) ? credentials[field] : undefined
}

/**
 * A header value is visible ASCII. A user id with other characters, or with `%`, is percent-encoded, so that the values
 * of two users always differ; a secret is sent as it is or refused.
 */
const encodeHeaderValue: Encode = (value, { server, field }) => {
  if (field === undefined) return /^[!-$&-~]*$/.test(value) ? value : encodeURIComponent(value)
  if (/^[\x20-\x7e]*$/.test(value)) return value
  throw new PurserError('secret_invalid', `The secret field '${field}' of '${server}' is not a valid header value.`)
}

function mapValues(
  texts: Readonly<Record<string, string>> | undefined,
  map: (text: string) => string,
): Record<string, string> | undefined {
  return texts && Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, map(text)]))
}
