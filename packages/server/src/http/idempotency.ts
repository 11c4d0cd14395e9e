import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { identityOf } from '../auth/authenticate.ts'
import { idempotencyKeyOf, isChange, reasonHeader } from './route.ts'

export const KEPT_MS = 86_400_000
const MAX_KEPT = 10_000
/** Longer answers are not kept; a repeat runs again, and the library answers by its own memory. */
const MAX_ANSWER_CHARACTERS = 65_536
const MAX_KEY_LENGTH = 255
const ERASE = '/api/users/:id/erase'

interface Kept {
  readonly digest: string
  /** The user it is about; undefined for what concerns nobody. */
  readonly user: string | undefined
  readonly until: number
  /** Undefined while the first call is still running. */
  answer?: { readonly status: number; readonly headers: Record<string, string>; readonly body: string }
}

declare module 'fastify' {
  interface FastifyRequest {
    idempotent: string | null
    /** The library gave the answer of an earlier call. */
    replayed: boolean
  }
}

/**
 * The same `Idempotency-Key` with the same body, `If-Match` and reason gets the answer of the first time, for a day.
 * Whole answers are kept in this process and for one caller. Beneath them the library remembers in the store what
 * changes a user and would do so again: admissions and their closings, detections, actions, notes and what operators
 * do. So a repeat after a restart, or at another instance, does nothing twice either.
 *
 * What is not remembered there has no need of it, or must not be: sessions are taken up again and evictions repeated
 * without harm; an erasure leaves nothing of the person behind, not even this; a new key is not kept in clear.
 */
export function idempotency(app: FastifyInstance, house: AppContext): void {
  const kept = new Map<string, Kept>()
  app.decorateRequest('idempotent', null)
  app.decorateRequest('replayed', false)
  // The gateway's route is left alone: a turn takes the key to the ledger itself.
  app.addHook('onRoute', (route) => {
    if (!isChange(route)) return
    route.preHandler = (request: FastifyRequest, reply: FastifyReply) => recall(kept, house, request, reply)
    route.onSend = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
      if (request.replayed) reply.header('idempotent-replayed', 'true')
      if (request.idempotent !== null) remember(kept, request.idempotent, reply, payload)
      if (route.url.endsWith(ERASE) && reply.statusCode < 300) forget(kept, request)
      return payload
    }
  })
}

/** Answers what was answered before; else takes the key for the call that begins. */
async function recall(
  kept: Map<string, Kept>,
  house: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const key = idempotencyKeyOf(request)
  if (key === undefined) return undefined
  if (key === '' || key.length > MAX_KEY_LENGTH) {
    throw new HttpError(400, 'invalid_request_error', `An Idempotency-Key has 1 to ${MAX_KEY_LENGTH} characters.`)
  }
  const place = JSON.stringify([identityOf(request).name, request.method, request.url, key])
  const digest = digestOf(request)
  const now = house.effects.now()
  const found = kept.get(place)
  if (found === undefined || found.until <= now) {
    kept.delete(place)
    kept.set(place, { digest, user: subjectOf(request), until: now + KEPT_MS })
    request.idempotent = place
    drop(kept, now)
    return undefined
  }
  if (found.digest !== digest) {
    throw new HttpError(
      422,
      'idempotency_conflict',
      'That Idempotency-Key was used with another body, If-Match or x-purser-reason.',
      { hint: 'Take a new key for another call.' },
    )
  }
  if (found.answer === undefined) {
    throw new HttpError(409, 'idempotency_running', 'The first call with that Idempotency-Key is still running.', {
      headers: { 'retry-after': '1' },
    })
  }
  const { status, headers, body } = found.answer
  return reply
    .code(status)
    .headers({ ...headers, 'idempotent-replayed': 'true' })
    .send(body)
}

/** All that says what is to be done. */
function digestOf(request: FastifyRequest): string {
  const said = [request.body ?? null, request.headers['if-match'] ?? null, reasonHeader(request) ?? null]
  return createHash('sha256').update(JSON.stringify(said)).digest('base64url')
}

/** Our own failures are not kept, nor is a 412: nothing was done, and the caller is right to try again. */
function remember(kept: Map<string, Kept>, place: string, reply: FastifyReply, payload: unknown): void {
  const entry = kept.get(place)
  const text = payload ?? ''
  const undone = reply.statusCode >= 500 || reply.statusCode === 412
  if (undone || typeof text !== 'string' || text.length > MAX_ANSWER_CHARACTERS) kept.delete(place)
  else if (entry !== undefined) entry.answer = { status: reply.statusCode, headers: headersOf(reply), body: text }
}

/** What was answered about an erased person goes with them; all that stays is the receipt, which holds only counts. */
function forget(kept: Map<string, Kept>, erasure: FastifyRequest): void {
  const user = subjectOf(erasure)
  for (const [place, entry] of kept) if (entry.user === user && place !== erasure.idempotent) kept.delete(place)
}

function subjectOf(request: FastifyRequest): string | undefined {
  return (request.params as { id?: string } | null)?.id
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of ['content-type', 'etag']) {
    const value = reply.getHeader(name)
    if (typeof value === 'string') headers[name] = value
  }
  return headers
}

/** Insertion order is the order of age, so what is over stands in front. */
function drop(kept: Map<string, Kept>, now: number): void {
  for (const [place, entry] of kept) {
    if (entry.until > now && kept.size <= MAX_KEPT) return
    kept.delete(place)
  }
}
