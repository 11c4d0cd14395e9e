import { createHash } from 'node:crypto'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Head, StoredEvent } from '../storage/commit.ts'
import type { Event, NewEvent } from './event.ts'

/*
 * Every event carries a MAC over its stored bytes and over the MAC before it, so that an edit, a swap, a gap or a
 * change of order breaks every later link. A chain alone does not notice a cut tail or an edited state: the head
 * has a MAC of its own, in another domain, over the last link and a digest of the state.
 */

/** Where a link hangs: one life of one user. */
export interface ChainOf {
  readonly user: Subject
  readonly incarnation: number
}

/** Puts new events behind `head`: sequence, time, body and MAC. Returns them with the new head. */
export function extendChain(
  keys: Keyring,
  chain: ChainOf & { readonly head: Head | null; readonly at: number; readonly nextId: () => string },
  events: readonly NewEvent[],
): { events: StoredEvent[]; head: Head | null } {
  let head = chain.head
  const stored = events.map((event): StoredEvent => {
    const sequence = (head?.sequence ?? 0) + 1
    const id = chain.nextId()
    const body = bodyOf(event, { sequence, id, at: chain.at })
    const mac = linkMac(keys, chain, head?.mac ?? '', body)
    head = { sequence, mac }
    return { sequence, id, at: chain.at, type: event.type, body, mac }
  })
  return { events: stored, head }
}

export function linkMac(keys: Keyring, chain: ChainOf, previousMac: string, body: string): string {
  return keys.mac('chain', ['event', chain.user.namespace, chain.user.id, chain.incarnation, previousMac, body])
}

export function headMac(keys: Keyring, chain: ChainOf, head: Head, state: string): string {
  const digest = createHash('sha256').update(state).digest('base64url')
  const { namespace, id } = chain.user
  return keys.mac('chain', ['head', namespace, id, chain.incarnation, head.sequence, head.mac, digest])
}

function bodyOf(event: NewEvent, place: { sequence: number; id: string; at: number }): string {
  return JSON.stringify({
    v: 1,
    id: place.id,
    sequence: place.sequence,
    at: new Date(place.at).toISOString(),
    type: event.type,
    detail: event.detail,
    data: event.data,
    actor: event.actor,
    reason: event.reason,
    policy: event.policy,
  })
}

/** The event as its reader sees it. */
export function readEvent(user: string, stored: StoredEvent): Event {
  return { ...parseBody(stored.body), user, mac: stored.mac }
}

export function parseBody(body: string): Omit<Event, 'user' | 'mac'> {
  try {
    return JSON.parse(body) as Omit<Event, 'user' | 'mac'>
  } catch (cause) {
    throw new PurserError('store_damaged', 'A stored event cannot be read.', {
      hint: '`purser verify` tells which one. Restore it from a backup.',
      cause,
    })
  }
}
