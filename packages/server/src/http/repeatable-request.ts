import { PurserError } from 'purser'
import type { Sealer } from 'purser/internal'

/** The response to a request with an `Idempotency-Key`, stored with what the request created. */
export interface KeptReply {
  /** Hash of the caller, the route and the key. */
  readonly request: string
  /** Of what decides what the request does. */
  readonly digest: string
  /** Epoch ms. */
  readonly expiresAt: number
  /** It has a secret, which is in no other response. */
  readonly sealed: string
}

/**
 * A request that creates something, once: the response is stored in the same write, so that a repeat gets it on every
 * instance, also after the one that answered was killed.
 */
export class RepeatableRequest {
  readonly #request: Omit<KeptReply, 'sealed'>
  readonly #now: number
  readonly #sealer: Sealer
  readonly #onReplay: () => void

  constructor(
    request: Omit<KeptReply, 'sealed'>,
    { now, sealer, onReplay }: { readonly now: number; readonly sealer: Sealer; readonly onReplay: () => void },
  ) {
    this.#request = request
    this.#now = now
    this.#sealer = sealer
    this.#onReplay = onReplay
  }

  keep(response: object): KeptReply {
    const sealed = this.#sealer.seal(JSON.stringify(response), ['kept reply', this.#request.request])
    return { ...this.#request, sealed }
  }

  /** The response to the first request, if there was one; throws `idempotency_conflict` if it was another request. */
  replay<Response>(replies: readonly (KeptReply | undefined)[]): Response | undefined {
    const { request, digest } = this.#request
    const reply = replies.find((candidate) => candidate?.request === request && candidate.expiresAt > this.#now)
    if (reply === undefined) return undefined
    if (reply.digest !== digest)
      throw new PurserError('idempotency_conflict', 'This Idempotency-Key was used with a different body.', {
        hint: 'Use a new key for a different call.',
      })
    this.#onReplay()
    return JSON.parse(this.#sealer.open(reply.sealed, ['kept reply', request])) as Response
  }
}

/** Without a reply that has expired: a secret is not kept for longer than a repeat can ask for it. */
export function withoutExpiredReply<Entry extends { readonly reply?: KeptReply }>(entry: Entry, now: number): Entry {
  if (entry.reply === undefined || entry.reply.expiresAt > now) return entry
  const { reply: _, ...rest } = entry
  return rest as Entry
}
