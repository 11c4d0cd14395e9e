import { hashCanonicalJson } from '../core/canonical-json.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { whenReady } from '../core/when-ready.ts'
import { PurserError } from '../errors.ts'
import { type ChatRequest, fieldsOf } from '../openai/chat.ts'
import type { AnswerScope } from '../storage/answer-store.ts'
import type { ScopeName, Scopes } from './scopes.ts'

/** What an answer is stored under. */
export interface CacheKey {
  readonly key: string
  readonly scope: AnswerScope
  /** The scope's generation at this lookup; null when the store could not be read. Then nothing is found or stored. */
  readonly generation: number | null
  /** Whose answer it is, and of which incarnation; null for an answer shared by all users. */
  readonly owner: Owner | null
  /** True: the answer is promised to a repeat under an idempotency key, so its caller waits until it is stored. */
  readonly isReplay?: boolean
}

export interface Owner {
  readonly user: Subject
  readonly incarnation: number
}

export interface KeyRequest {
  /** Values of `remember` and turns have keys of their own, so that neither can pass for the other. */
  readonly kind: 'value' | 'turn'
  readonly scope: ScopeName
  /** Any JSON value; all of it counts. */
  readonly value: unknown
  /** The incarnation in which the request was made, if that was before now. */
  readonly incarnation?: number | undefined
}

export interface KeyResolver {
  /**
   * At once if everything that it needs is in memory and the value is not large. Throws or rejects with `argument_invalid`
   * for a value that JSON cannot hold, with nothing else.
   */
  resolve(user: Subject, request: KeyRequest): CacheKey | Promise<CacheKey>
  /** The scope of everything stored for this user alone. */
  scopeOf(user: Subject): AnswerScope
  /** False after the incarnation that made the request has been erased. */
  isCurrentIncarnation(key: CacheKey): boolean | Promise<boolean>
}

/** Replaces an incarnation that could not be read: nothing is found under it. */
const UNKNOWN_INCARNATION = 0

/** What a key is made of beside the request, as it is now. */
interface KeyParts {
  readonly incarnation: number
  /** Null: it could not be read. */
  readonly generation: number | null
  /** That of all processes; undefined when all use one cache. */
  readonly shared: number | null | undefined
}

export function createKeyResolver(deps: {
  readonly keys: Keyring
  readonly scopes: Scopes
  readonly incarnationOf: (user: Subject) => number | Promise<number>
  /** The generations that all caches of a namespace share, when each process may have one of its own. */
  readonly sharedScopes?: Scopes | undefined
  /** Called when the store could not be read. */
  readonly onFailure: () => void
}): KeyResolver {
  const { scopes, sharedScopes, onFailure } = deps
  const hashKey = createKeyHash(deps.keys)

  /** The result of `read`, or `instead` when it fails. */
  function orElse<Instead>(
    read: () => number | Promise<number>,
    instead: Instead,
  ): number | Instead | Promise<number | Instead> {
    const fail = (): Instead => {
      onFailure()
      return instead
    }
    try {
      const found = read()
      return typeof found === 'number' ? found : found.catch(fail)
    } catch {
      return fail()
    }
  }

  function incarnationOf(user: Subject): number | Promise<number> {
    return orElse(() => deps.incarnationOf(user), UNKNOWN_INCARNATION)
  }

  function keyOf(user: Subject, request: KeyRequest, parts: KeyParts): CacheKey | Promise<CacheKey> {
    const { kind, scope, value, incarnation = parts.incarnation } = request
    const owner = scope === 'user' ? { user, incarnation } : null
    const isCurrent = owner === null || (incarnation === parts.incarnation && incarnation !== UNKNOWN_INCARNATION)
    const isKnown = isCurrent && parts.shared !== null
    const generation = isKnown ? parts.generation : null
    const sharedGeneration = parts.shared ?? undefined
    const known = owner?.incarnation ?? UNKNOWN_INCARNATION
    const hash = hashKey({ kind, scope, user, incarnation: known, sharedGeneration, value })
    const answerScope = scopes.of(user, scope)
    return whenReady(hash, (key) => ({ key, scope: answerScope, generation, owner }))
  }

  return {
    resolve(user, request) {
      const scope = scopes.of(user, request.scope)
      const incarnation = request.scope === 'user' ? incarnationOf(user) : UNKNOWN_INCARNATION
      const shared = sharedScopes && orElse(() => sharedScopes.generation(scope), null)
      const generation = orElse(() => scopes.generation(scope), null)
      if (typeof incarnation === 'number' && !(shared instanceof Promise) && !(generation instanceof Promise))
        return keyOf(user, request, { incarnation, shared, generation })
      return Promise.all([incarnation, shared, generation]).then((parts) =>
        keyOf(user, request, { incarnation: parts[0], shared: parts[1], generation: parts[2] }),
      )
    },
    scopeOf: (user) => scopes.of(user, 'user'),
    isCurrentIncarnation({ owner }) {
      if (owner === null) return true
      return whenReady(incarnationOf(owner.user), (current) => current === owner.incarnation)
    },
  }
}

/** Everything that the key of an answer covers. */
export interface KeyInput {
  readonly kind: 'value' | 'turn'
  readonly scope: ScopeName
  readonly user: Subject
  readonly incarnation: number
  /** Ends with every `forget` and `clear` of any process; absent when all processes use one cache. */
  readonly sharedGeneration?: number | undefined
  readonly value: unknown
}

/**
 * Throws or rejects with `argument_invalid` for a value that JSON cannot hold without loss (NaN, a Map): two of them
 * would share a key.
 */
export type KeyHash = (input: KeyInput) => string | Promise<string>

/**
 * A keyed SHA-256 over a JSON tuple of kind, scope, namespace, user and incarnation and the value's canonical text.
 * JSON marks where it ends, so the text of one part cannot run over into the next; and without the store's secret a key
 * does not reveal the request. The secret is a prefix: the length extension that this allows never yields a text that
 * ends as JSON does.
 */
export function createKeyHash(keys: Keyring): KeyHash {
  const secret = keys.mac('answers', ['key'], 'hex')
  return ({ kind, scope, user, incarnation, sharedGeneration, value }) => {
    const owner = scope === 'user' ? [user.namespace, user.id, incarnation] : [user.namespace]
    const shared = sharedGeneration === undefined ? [] : [{ sharedGeneration }]
    const prefix = `${secret}${JSON.stringify([kind, scope, ...owner, ...shared])}`
    try {
      if (value === undefined || typeof value === 'function' || typeof value === 'symbol') throwNotJson(value)
      const hashed = hashCanonicalJson(value, prefix, throwNotJson)
      return typeof hashed === 'string' ? hashed : hashed.catch(throwInvalidValue)
    } catch (cause) {
      return throwInvalidValue(cause)
    }
  }
}

function throwInvalidValue(cause: unknown): never {
  throw new PurserError('argument_invalid', 'The request of an answer must be a JSON value.', {
    hint: 'Use text, numbers, booleans, null, arrays and objects of these, nested less than a few thousand levels.',
    cause,
  })
}

function throwNotJson(value: unknown): string {
  throw new TypeError(`${Object.prototype.toString.call(value)} ${String(value)} is not JSON`)
}

/** What the answer of a turn depends on. */
export interface CacheableRequest {
  /** The request as it goes upstream, without the user's context. */
  readonly request: ChatRequest
  /** Provider, model, and every other setting that shapes an answer. */
  readonly target: Readonly<Record<string, unknown>>
  /** Digest of the user's context without its clock line; null when the turn has no context. */
  readonly context: string | null
}

/**
 * Fields in which two requests with the same answer may differ. All other fields count, unknown ones included. `model`
 * is listed because the effective model is part of `target`: an alias may point to another model tomorrow.
 */
const IGNORED = new Set(['model', 'stream', 'stream_options', 'user', 'safety_identifier', 'trace_id', 'request_id'])
const IGNORED_METADATA = new Set(['user_id', 'trace_id', 'span_id', 'request_id', 'generation_id'])

/** The value that a turn's cache key is made of. */
export function cacheableValue({ request, target, context }: CacheableRequest): unknown {
  const relevant: Record<string, unknown> = omit(fieldsOf(request), IGNORED)
  const { metadata } = request
  if (typeof metadata === 'object' && metadata !== null) {
    const rest = omit(metadata, IGNORED_METADATA)
    relevant.metadata = Object.keys(rest).length === 0 ? undefined : rest
  }
  return { request: relevant, target, context }
}

function omit(object: Readonly<Record<string, unknown>>, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.has(name)))
}
