import { PurserError } from '../errors.ts'

/** The same as for the ledger, which writes down both. */
const ACTOR_MAX_BYTES = 256
const REASON_MAX_BYTES = 1_024
const SESSION_ID_MAX_BYTES = 256

/** Who did it, `'app'` when nobody says. */
export function actorOf(actor: unknown): string {
  return actor === undefined ? 'app' : textOf('actor', actor, ACTOR_MAX_BYTES)
}

export function reasonOf(reason: unknown): string | undefined {
  return reason === undefined ? undefined : textOf('reason', reason, REASON_MAX_BYTES)
}

function textOf(name: string, value: unknown, maxBytes: number): string {
  const fits = typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= maxBytes
  if (fits) return value
  throw new PurserError('argument_invalid', `'${name}' is not text of 1 to ${maxBytes.toLocaleString('en')} bytes.`, {
    hint: 'Give a short text, or leave it out.',
    details: { param: name },
  })
}

export function expectedVersionOf(version: unknown): number | undefined {
  if (version === undefined) return undefined
  if (Number.isSafeInteger(version) && (version as number) >= 0) return version as number
  throw new PurserError('argument_invalid', "'expectedVersion' is not a whole number of 0 or more.", {
    hint: 'Give the version of the settings that you have read.',
    details: { param: 'expectedVersion' },
  })
}

export function serverNameOf(name: unknown): string {
  if (typeof name === 'string') return name
  throw new PurserError('argument_invalid', 'The name of an MCP server must be text.', {
    hint: 'Give a name under which a server stands in the option mcpServers.',
    details: { param: 'name' },
  })
}

/** Session ids are kept byte for byte, like user ids. */
export function sessionIdOf(id: unknown): string {
  const fits =
    typeof id === 'string' &&
    id !== '' &&
    id.isWellFormed() &&
    Buffer.byteLength(id) <= SESSION_ID_MAX_BYTES &&
    !/\p{Cc}/u.test(id)
  if (fits) return id
  throw new PurserError(
    'session_invalid',
    `A session id is 1 to ${SESSION_ID_MAX_BYTES} bytes of text without control characters.`,
  )
}

export function policyOf(policy: unknown): 'pin' | 'follow' {
  if (policy === 'pin' || policy === 'follow') return policy
  throw new PurserError(
    'session_invalid',
    `A session's policy is 'pin' or 'follow', not ${typeof policy === 'string' ? `'${policy.slice(0, 64)}'` : 'something else'}.`,
  )
}
