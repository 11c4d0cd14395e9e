import { hash } from 'node:crypto'
import { canonicalJson } from '../core/canonical-json.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { ChatRequest } from '../openai/chat.ts'

export type ScopeName = 'user' | 'namespace'

/** Everything an answer's key covers. */
export interface KeyParts {
  /** Values a program asks for and turns are kept apart, so that neither can pass for the other. */
  readonly kind: 'value' | 'turn'
  readonly scope: ScopeName
  readonly user: Subject
  /** Which life of this user: an erased one's answers are out of reach with it. */
  readonly incarnation: number
  /** Any JSON value; all of it counts. */
  readonly value: unknown
}

export type AnswerKeys = (parts: KeyParts) => string

/**
 * The key of an answer: a keyed SHA-256 over a JSON tuple of kind, scope, namespace, user and incarnation and the
 * value's canonical text. Both are JSON, which says itself where it ends, so no text of one part can run over into the
 * next; and without the store's own secret nobody can tell from a key what was asked. The secret goes in front: what
 * that allows, to go on hashing where a known key ended, leads to no text that ends as JSON does.
 *
 * Throws `argument_invalid` for a value that JSON cannot hold without loss (NaN, a Map): two of them would be one.
 */
export function createAnswerKeys(keys: Keyring): AnswerKeys {
  const secret = keys.mac('answers', ['key'], 'hex')
  return ({ kind, scope, user, incarnation, value }) => {
    const whose = scope === 'user' ? [user.namespace, user.id, incarnation] : [user.namespace]
    return hash('sha256', `${secret}${JSON.stringify([kind, scope, ...whose])}${canonicalText(value)}`, 'base64url')
  }
}

function canonicalText(value: unknown): string {
  try {
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') refuse(value)
    return canonicalJson(value, refuse)
  } catch (cause) {
    throw new PurserError('argument_invalid', 'This request has no answer key: it is not a JSON value.', {
      hint: 'Ask with text, numbers, booleans, null, arrays and objects of these, nested less than a few thousand deep.',
      cause,
    })
  }
}

function refuse(value: unknown): string {
  throw new TypeError(`${Object.prototype.toString.call(value)} ${String(value)} is not JSON`)
}

/**
 * What differs between two requests that deserve the same answer. All else counts, also fields nobody knows yet.
 * `model` is here because the model that was resolved stands in its place: an alias may point elsewhere tomorrow.
 */
const NOT_ASKED = new Set(['model', 'stream', 'stream_options', 'user', 'safety_identifier', 'trace_id', 'request_id'])
const NOT_ASKED_IN_METADATA = new Set(['user_id', 'trace_id', 'span_id', 'request_id', 'generation_id'])

export interface TurnParts {
  /** The request as it goes upstream, but for the user's context. */
  readonly request: ChatRequest
  /** What it runs on: provider, model, and every other setting that shapes an answer. */
  readonly target: Readonly<Record<string, unknown>>
  /** Digest of the user's context without its clock line; null when the turn has none. */
  readonly context: string | null
}

/** The value that stands for a turn in its key. */
export function turnValue({ request, target, context }: TurnParts): unknown {
  const asked: Record<string, unknown> = without(request, NOT_ASKED)
  const { metadata } = request
  if (typeof metadata === 'object' && metadata !== null) {
    const kept = without(metadata, NOT_ASKED_IN_METADATA)
    asked.metadata = Object.keys(kept).length === 0 ? undefined : kept
  }
  return { request: asked, target, context }
}

/** Why a turn's answer may not be shared beyond its user; undefined when it may. */
export function privateBecause({ request, context }: TurnParts): string | undefined {
  if (context !== null) return "the user's context was in the request"
  if (isUsed(request.tools) || isUsed(request.functions) || isUsed(request.mcp_servers))
    return 'tools were in the request'
  for (const message of request.messages) {
    if (message.role === 'tool' || message.role === 'function' || isUsed(message.tool_calls))
      return 'tools were in the request'
    if (Array.isArray(message.content) && message.content.some((part) => part.type !== 'text'))
      return 'files were in the request'
  }
  return undefined
}

function isUsed(list: unknown): boolean {
  return list !== undefined && list !== null && !(Array.isArray(list) && list.length === 0)
}

function without(object: Readonly<Record<string, unknown>>, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.has(name)))
}
