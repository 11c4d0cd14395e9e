import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Effects } from 'purser'
import { type Erasures, erasuresOf, forEachPiece, getSealer, jsonPieces } from 'purser/internal'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { getIdentity } from '../auth/authenticate.ts'
import { getReasonHeader } from './audit.ts'
import { isMutation } from './define-route.ts'
import { getHeader } from './headers.ts'
import { RepeatableRequest } from './repeatable-request.ts'

const RETENTION_MS = 86_400_000
const MAX_ENTRIES = 10_000
/** Longer responses are not stored; a repeat runs again, and the library replays what it stored itself. */
const MAX_RESPONSE_BYTES = 65_536
const MAX_KEY_LENGTH = 255
/** Of all entries together. The oldest are dropped beyond it. */
const MAX_TOTAL_BYTES = 16_777_216
/** Of an entry without its texts: objects, digest. */
const ENTRY_OVERHEAD_BYTES = 512
const ERASE_ROUTE = '/api/users/:id/erase'

interface StoredResponse {
  readonly status: number
  readonly headers: Record<string, string>
  /** UTF-8, in memory of its own, which is freed with the entry. */
  readonly body: Uint8Array<ArrayBuffer>
}

interface Entry {
  readonly digest: string
  /** The user in the path; undefined for routes without one. */
  readonly user: string | undefined
  /** Epoch ms. */
  readonly expiresAt: number
  /** What the entry counts for in the total. */
  bytes: number
  /** The incarnation of the user when the call began. A response belongs to that incarnation only. */
  incarnation?: number | undefined
  /** Undefined while the first call is running. */
  response?: StoredResponse
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The key of the entry that this request created; null without an `Idempotency-Key`. */
    idempotencyEntry: string | null
    /** Whether the library replayed the result of an earlier call. */
    isReplay: boolean
  }
}

export interface IdempotencyOptions {
  readonly idempotencyKey: string | undefined
  readonly onReplay: () => void
}

/** The options of a library call that stores its result by the key: across restarts and in every process. */
export function idempotencyOptions(request: FastifyRequest): IdempotencyOptions {
  return {
    idempotencyKey: getIdempotencyKey(request),
    onReplay() {
      request.isReplay = true
    },
  }
}

export function getIdempotencyKey(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  return getHeader(request.headers, 'idempotency-key')
}

/** Undefined without an `Idempotency-Key`. */
export async function toRepeatable(
  request: FastifyRequest,
  { purser, effects }: AppContext,
): Promise<RepeatableRequest | undefined> {
  const key = getIdempotencyKey(request)
  if (key === undefined) return undefined
  const now = effects.now()
  const caller = JSON.stringify([getIdentity(request).id, request.method, request.url, key])
  const repeated = {
    request: createHash('sha256').update(caller).digest('base64url'),
    digest: await hashRequest(request),
    expiresAt: now + RETENTION_MS,
  }
  const onReplay = (): void => {
    request.isReplay = true
  }
  return new RepeatableRequest(repeated, { now, sealer: getSealer(purser), onReplay })
}

/**
 * Replays the response of an earlier call with the same `Idempotency-Key`, body, `If-Match` and reason, for a day.
 * Whole responses are stored in this process, per caller. The library also stores, durably, the results of calls that
 * change a user and are not idempotent by themselves: admissions and their settlements, detections, actions, notes and
 * what operators do. New API keys and webhooks have the response that created them, sealed (`repeatable-request.ts`). So a
 * repeat after a restart, or in another process, has no second effect.
 *
 * Other calls are not stored durably because they need not or must not be. Sessions and evictions can be repeated
 * safely. An erasure must leave nothing of the user behind, not even its own response.
 */
export function registerIdempotency(app: FastifyInstance, context: AppContext): void {
  const erasures = erasuresOf(context.purser)
  const responses = new ResponseCache(context.effects, erasures)
  const unsubscribe = erasures?.subscribe((user) => responses.deleteUser(user))
  app.addHook('onClose', async () => unsubscribe?.())
  app.decorateRequest('idempotencyEntry', null)
  app.decorateRequest('isReplay', false)
  // The gateway is not included: a turn passes the key to the ledger itself.
  app.addHook('onRoute', (route) => {
    if (!isMutation(route)) return
    route.preHandler = async (request: FastifyRequest, reply: FastifyReply) => responses.replay(request, reply)
    route.onSend = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
      if (request.isReplay) reply.header('idempotent-replayed', 'true')
      responses.complete(request, reply, payload)
      if (route.url.endsWith(ERASE_ROUTE) && reply.statusCode < 300)
        responses.deleteUser(getSubject(request), request.idempotencyEntry)
      return payload
    }
  })
}

class ResponseCache {
  readonly #effects: Effects
  readonly #erasures: Erasures | undefined
  /** In insertion order, which is the order of expiry. */
  readonly #entries = new Map<string, Entry>()
  #totalBytes = 0

  constructor(effects: Effects, erasures: Erasures | undefined) {
    this.#effects = effects
    this.#erasures = erasures
  }

  /** Sends the stored response; without one, creates the entry of the call that starts. */
  async replay(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const idempotencyKey = getIdempotencyKey(request)
    if (idempotencyKey === undefined) return undefined
    if (idempotencyKey === '' || idempotencyKey.length > MAX_KEY_LENGTH) {
      throw new HttpError(400, 'invalid_request_error', `Idempotency-Key must be 1 to ${MAX_KEY_LENGTH} characters.`)
    }
    const key = JSON.stringify([getIdentity(request).id, request.method, request.url, idempotencyKey])
    const digest = await hashRequest(request)
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expiresAt <= this.#effects.now()) return this.#start(key, digest, request)
    if (entry.response === undefined) {
      if (entry.digest !== digest) throw conflict()
      throw stillRunning()
    }
    if (!(await this.#isCurrent(entry, request))) {
      // Another repeat may have found the same and started.
      if (this.#entries.get(key) !== entry) return this.replay(request, reply)
      return this.#start(key, digest, request)
    }
    if (entry.digest !== digest) throw conflict()
    const { status, headers, body } = entry.response
    return reply
      .code(status)
      .headers({ ...headers, 'idempotent-replayed': 'true' })
      .send(Buffer.from(body.buffer).toString())
  }

  /** Stores a response. Not for a 5xx or a 412: nothing was done, so the caller may try again. */
  complete(request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    const key = request.idempotencyEntry
    if (key === null) return
    const text = payload ?? ''
    const isRetryable = reply.statusCode >= 500 || reply.statusCode === 412
    if (isRetryable || typeof text !== 'string' || Buffer.byteLength(text) > MAX_RESPONSE_BYTES) {
      this.#delete(key)
      return
    }
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const body = new Uint8Array(Buffer.byteLength(text))
    Buffer.from(body.buffer).write(text)
    entry.response = { status: reply.statusCode, headers: replayedHeaders(reply), body }
    entry.bytes += body.length
    this.#totalBytes += body.length
    this.#dropOldest()
  }

  /**
   * Deletes the responses about an erased user, of all users if it is undefined. The receipt of the erasure itself, which
   * holds only counts, stays.
   */
  deleteUser(user: string | undefined, receipt: string | null = null): void {
    for (const [key, entry] of this.#entries) {
      if (entry.user === undefined || (user !== undefined && entry.user !== user) || key === receipt) continue
      // A call that is running keeps its entry, so that a repeat of it waits.
      if (entry.response !== undefined && !isErasure(key)) this.#delete(key)
    }
  }

  /** Creates the entry of a call that starts. The response of a call whose user is erased meanwhile is never replayed. */
  async #start(key: string, digest: string, request: FastifyRequest): Promise<undefined> {
    const entry = this.#create(key, digest, request)
    try {
      entry.incarnation = await this.#readIncarnation(request)
    } catch (error) {
      this.#delete(key)
      throw error
    }
  }

  /** Whether the user has not been erased since. A receipt of an erasure stays. */
  async #isCurrent({ incarnation }: Entry, request: FastifyRequest): Promise<boolean> {
    if (isErasure(request.url)) return true
    return incarnation === (await this.#readIncarnation(request))
  }

  async #readIncarnation(request: FastifyRequest): Promise<number | undefined> {
    const user = getSubject(request)
    return user === undefined ? undefined : this.#erasures?.incarnation(user)
  }

  #create(key: string, digest: string, request: FastifyRequest): Entry {
    this.#delete(key)
    const user = getSubject(request)
    const bytes = ENTRY_OVERHEAD_BYTES + 2 * (key.length + (user?.length ?? 0))
    const created: Entry = { digest, user, expiresAt: this.#effects.now() + RETENTION_MS, bytes }
    this.#entries.set(key, created)
    this.#totalBytes += bytes
    request.idempotencyEntry = key
    this.#dropOldest()
    return created
  }

  #dropOldest(): void {
    const now = this.#effects.now()
    for (const [oldest, entry] of this.#entries) {
      const hasSpace = this.#entries.size <= MAX_ENTRIES && this.#totalBytes <= MAX_TOTAL_BYTES
      if (hasSpace && entry.expiresAt > now) return
      this.#delete(oldest)
    }
  }

  /** The body is freed at once: left to the garbage collector, many times the limit would be in memory. */
  #delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#totalBytes -= entry.bytes
    this.#entries.delete(key)
    entry.response?.body.buffer.transfer(0)
  }
}

/** Whether a URL, or a key of the cache with a URL in it, is that of an erasure. */
function isErasure(text: string): boolean {
  return /\/api\/users\/[^/]+\/erase\b/.test(text)
}

/** A digest of everything that decides what the call does. */
async function hashRequest(request: FastifyRequest): Promise<string> {
  const parts = [request.body ?? null, request.headers['if-match'] ?? null, getReasonHeader(request) ?? null]
  const digest = createHash('sha256')
  await forEachPiece(jsonPieces(parts), (bytes) => digest.update(bytes))
  return digest.digest('base64url')
}

function getSubject(request: FastifyRequest): string | undefined {
  return (request.params as { id?: string } | null)?.id
}

function replayedHeaders(reply: FastifyReply): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of ['content-type', 'etag']) {
    const value = reply.getHeader(name)
    if (typeof value === 'string') headers[name] = value
  }
  return headers
}

function conflict(): HttpError {
  const message = 'This Idempotency-Key was used with a different body, If-Match or x-purser-reason.'
  return new HttpError(422, 'idempotency_conflict', message, { hint: 'Use a new key for a different call.' })
}

function stillRunning(): HttpError {
  const message = 'The first call with this Idempotency-Key is still running.'
  return new HttpError(409, 'idempotency_running', message, { headers: { 'retry-after': '1' } })
}
