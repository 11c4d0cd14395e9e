import { PurserError } from '../../errors.ts'
import type { McpServerOption } from '../../options.ts'
import type { Credentials } from '../secrets.ts'

/*
 * One definition of an MCP server serves every user: `{user}` and `{secret.FIELD}` in its URL, headers and
 * environment are filled in for each. What is filled in is never looked at again, so no value can bring a
 * placeholder of its own.
 */

const PLACEHOLDER = /\{(?:user|secret\.([A-Za-z][\w-]{0,63}))\}/g
/** `{secret}`, `{user_id}`, `{USER}`: meant as placeholders, and sent as they are unless somebody says so. */
const LOOKALIKE = /\{(?:user|secret)[^{}]*\}/gi
const EXACT = new RegExp(`^${PLACEHOLDER.source}$`)

export interface Filling {
  readonly server: string
  readonly user: string
  /** The user's own; null when they have none for this server. */
  readonly credentials: Credentials | null
}

/** Throws `secret_missing` when a field is needed that the user has not given. */
export function fillDefinition(definition: McpServerOption, filling: Filling): McpServerOption {
  if ('url' in definition) {
    const headers = mapValues(definition.headers, (text) => fill(text, filling, inHeader))
    return { url: fill(definition.url, filling, encodeURIComponent), ...(headers && { headers }) }
  }
  const env = mapValues(definition.env, (text) => fill(text, filling, (value) => value))
  return { command: definition.command, ...(definition.args && { args: definition.args }), ...(env && { env }) }
}

/** What is wrong with the placeholders of a definition; undefined when nothing is. */
export function placeholderFault(definition: McpServerOption): string | undefined {
  const texts =
    'url' in definition
      ? [definition.url, ...Object.values(definition.headers ?? {})]
      : [definition.command, ...(definition.args ?? []), ...Object.values(definition.env ?? {})]
  const lookalikes = texts.flatMap((text) => text.match(LOOKALIKE) ?? [])
  if (!lookalikes.every((lookalike) => EXACT.test(lookalike)))
    return 'has a placeholder that is neither {user} nor {secret.FIELD}'
  if ('url' in definition) {
    const origin = /^[^/]*\/\/[^/?#]*/.exec(definition.url)?.[0] ?? definition.url
    return origin.includes('{') ? 'has a placeholder in its host, where it would choose whom to call' : undefined
  }
  const shown = [definition.command, ...(definition.args ?? [])]
  return shown.some((text) => text.match(PLACEHOLDER) !== null)
    ? 'has a placeholder in its command line, which every process can read; use env'
    : undefined
}

type Encoding = (value: string, what: { readonly server: string; readonly field: string | undefined }) => string

function fill(text: string, { server, user, credentials }: Filling, encode: Encoding): string {
  return text.replace(PLACEHOLDER, (_, field: string | undefined) => {
    const value = field === undefined ? user : ownField(credentials, field)
    if (value !== undefined) return encode(value, { server, field })
    throw new PurserError(
      'secret_missing',
      `The MCP server '${server}' needs the user's own secret field '${field}'.`,
      {
        hint: `Give it with setSecret('${server}', { ${field}: … }).`,
        details: { name: server, field },
      },
    )
  })
}

function ownField(credentials: Credentials | null, field: string): string | undefined {
  return credentials !== null && Object.hasOwn(credentials, field) ? credentials[field] : undefined
}

/**
 * A header holds visible ASCII. A user id with anything else, or with `%`, is percent-encoded, so that two ids never
 * look the same; a secret must fit as it is.
 */
const inHeader: Encoding = (value, { server, field }) => {
  if (field === undefined) return /^[!-$&-~]*$/.test(value) ? value : encodeURIComponent(value)
  if (/^[\x20-\x7e]*$/.test(value)) return value
  throw new PurserError('secret_invalid', `The secret field '${field}' of '${server}' cannot stand in a header.`)
}

function mapValues(
  texts: Readonly<Record<string, string>> | undefined,
  change: (text: string) => string,
): Record<string, string> | undefined {
  return texts && Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, change(text)]))
}
