import { sleep } from '../../core/abort.ts'
import type { Effects } from '../../core/effects.ts'
import { subjectKey } from '../../core/subject.ts'
import { PurserError, purserClosed } from '../../errors.ts'
import { authorizationRequired, serverUnreachable } from './errors.ts'
import type { Grant, GrantContent } from './grant.ts'
import type { GrantKey, GrantRepository, Settlement } from './grant-repository.ts'
import type { OAuthClient, OAuthPort, TokenResult, Tokens } from './ports.ts'

/*
 * A refresh token is used at most once, by whatever number of calls, processes and crashes. Who wants to use it first
 * writes a claim into the grant, compared with what stands there, and sends it only when the claim is durable. All
 * others wait for the outcome. A claim whose holder does not come back is never taken over: the token may have been
 * used up, and the person is asked again.
 */

/** How long a claim's holder is waited for: longer than the request may take, shorter than opening a connection may. */
export const CLAIM_MS = 15_000
/** How often a claim of another process is looked at. */
const LOOK_MS = 250
/** The part of a token's life, at most a tenth, that is not used. */
const MARGIN_MS = 10_000
/** After a server could not be reached, equal calls fail at once for so long. */
const REST_MS = 1_000
/** Attempts to write a claim or what it brought, and the pause between them. */
const STORE_ATTEMPTS_MAX = 5
const STORE_PAUSE_MS = 500

export interface RefreshDeps {
  readonly effects: Effects
  readonly records: GrantRepository
  readonly port: OAuthPort
  /** The server does not know this application any more. */
  forgetClient(name: string, client: OAuthClient): Promise<void>
}

export class TokenRefresher {
  readonly #house: RefreshDeps
  /** One for each token that will not do; callers share it. */
  readonly #flights = new Map<string, Promise<Grant>>()
  /** Ends the rest of each flight that failed. */
  readonly #rests = new Set<() => void>()
  readonly #closing = new AbortController()

  constructor(house: RefreshDeps) {
    this.#house = house
  }

  /** A grant newer than `seen`. Rejects with `mcp_unavailable`, `user_erased` or `store_unavailable`. */
  renew(place: GrantKey, seen: Pick<Grant, 'id' | 'turn'>): Promise<Grant> {
    const key = JSON.stringify([subjectKey(place.user), place.name, place.incarnation, seen.id, seen.turn])
    let flight = this.#flights.get(key)
    if (flight === undefined) {
      flight = this.#renew(place, seen)
      this.#flights.set(key, flight)
      flight.then(
        () => this.#flights.delete(key),
        () => this.#rest(key),
      )
    }
    return flight
  }

  /** Resolves when nothing that was sent waits to be stored any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#flights.values())
  }

  /** Those who wait for other processes give up. */
  stop(): void {
    for (const end of this.#rests) end()
    this.#closing.abort(purserClosed())
  }

  async #renew(place: GrantKey, seen: Pick<Grant, 'id' | 'turn'>): Promise<Grant> {
    const { effects, records } = this.#house
    const claim = { id: effects.randomId(), forMs: CLAIM_MS }
    let watched: { readonly claim: string; readonly since: number } | undefined
    for (;;) {
      this.#closing.signal.throwIfAborted()
      const isOverdue = watched !== undefined && effects.monotonic() - watched.since >= CLAIM_MS
      const overdue = isOverdue ? watched?.claim : undefined
      const answer = await this.#patiently(() => records.claim(place, { seen, claim, overdue }))
      if (answer.kind === 'newer') return answer.grant
      if (answer.kind === 'lost') throw authorizationRequired(place.name)
      if (answer.kind === 'claimed') return this.#spend(place, claim.id, answer.grant.content)
      if (watched?.claim !== answer.claim) watched = { claim: answer.claim, since: effects.monotonic() }
      await sleep(effects, LOOK_MS, this.#closing.signal)
    }
  }

  async #spend(place: GrantKey, claim: string, content: GrantContent): Promise<Grant> {
    const { port, effects, records, forgetClient } = this.#house
    const { server, client, refresh } = content
    const answer = await port.refresh(place.site, { server, client, refreshToken: refresh ?? '' })
    const settlement = settlementOf(answer, content, effects.now())
    const grant = await this.#patiently(() => records.settle(place, claim, settlement))
    if (isClientUnknown(answer)) await forgetClient(place.name, client)
    if (answer.outcome === 'unsent') throw serverUnreachable(place.name, answer.cause)
    if (grant === undefined) throw authorizationRequired(place.name)
    return grant
  }

  /** A claim and what it brought cannot be had twice: a store that is not there for a moment is waited for. */
  async #patiently<T>(write: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await write()
      } catch (error) {
        if (!PurserError.is(error, 'store_unavailable') || attempt >= STORE_ATTEMPTS_MAX) throw error
        await sleep(this.#house.effects, STORE_PAUSE_MS)
      }
    }
  }

  #rest(key: string): void {
    const end = (): void => {
      cancel()
      this.#rests.delete(end)
      this.#flights.delete(key)
    }
    const cancel = this.#house.effects.setTimer(end, REST_MS, { background: true })
    if (this.#closing.signal.aborted) end()
    else this.#rests.add(end)
  }
}

/** A token that can be renewed is, shortly before its end, so that it does not end on the way. */
export function contentWith(
  tokens: Tokens,
  { now, ...rest }: Pick<GrantContent, 'url' | 'server' | 'client'> & { now: number },
): GrantContent {
  const { access, refresh, lifetimeMs } = tokens
  const marginMs = refresh === null ? 0 : Math.min(MARGIN_MS, (lifetimeMs ?? 0) / 10)
  return { ...rest, access, refresh, goodUntil: lifetimeMs === null ? null : now + lifetimeMs - marginMs }
}

export function isClientUnknown(answer: TokenResult): boolean {
  return answer.outcome === 'refused' && answer.code.endsWith('_client')
}

function settlementOf(answer: TokenResult, { url, server, client, refresh }: GrantContent, now: number): Settlement {
  if (answer.outcome === 'granted') {
    const tokens = { ...answer.tokens, refresh: answer.tokens.refresh ?? refresh }
    return { kind: 'renewed', content: contentWith(tokens, { url, server, client, now }) }
  }
  if (answer.outcome === 'unsent') return { kind: 'unsent' }
  return { kind: 'spent', why: answer.outcome === 'refused' ? answer.code : 'interrupted' }
}
