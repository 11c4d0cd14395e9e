import { createHash } from 'node:crypto'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Head, StoredEvent } from '../storage/commit.ts'
import type { Event, EventBody, NewEvent } from './event.ts'

/*
 * Every event carries a MAC over its stored text and the previous MAC, so that an edit, a swap, a gap or another order
 * breaks every later link. Links alone do not reveal a truncated tail or an edited state: the head therefore has its
 * own MAC, in another domain, over the last link and a digest of the state.
 */

/** One chain: the events of one incarnation of one user. */
export interface ChainId {
  readonly user: Subject
  readonly incarnation: number
}

/** Appends events after `head`: assigns sequence, time, body and MAC. Returns them with the new head. */
export function extendChain(
  keys: Keyring,
  chain: ChainId & { readonly head: Head | null; readonly at: number; readonly nextId: () => string },
  events: readonly NewEvent[],
): { events: StoredEvent[]; head: Head | null } {
  let head = chain.head
  const stored = events.map((event): StoredEvent => {
    const sequence = (head?.sequence ?? 0) + 1
    const id = chain.nextId()
    const body = encodeBody(event, { sequence, id, at: chain.at })
    const mac = linkMac(keys, chain, head?.mac ?? '', body)
    head = { sequence, mac }
    return { sequence, id, at: chain.at, type: event.type, body, mac }
  })
  return { events: stored, head }
}

export function linkMac(keys: Keyring, chain: ChainId, previousMac: string, body: string): string {
  return keys.mac('chain', ['event', chain.user.namespace, chain.user.id, chain.incarnation, previousMac, body])
}

export function headMac(keys: Keyring, chain: ChainId, head: Head, state: string): string {
  const digest = createHash('sha256').update(state).digest('base64url')
  const { namespace, id } = chain.user
  return keys.mac('chain', ['head', namespace, id, chain.incarnation, head.sequence, head.mac, digest])
}

/** A stored event that is not the valid successor of another. */
export interface BrokenLink {
  readonly sequence: number
  readonly problem: string
}

/** Checks that `event` follows the event at `previous`; undefined when it does. */
export function findBrokenLink(
  keys: Keyring,
  { chain, previous }: { readonly chain: ChainId; readonly previous: Head },
  event: StoredEvent,
): BrokenLink | undefined {
  const { sequence, body, mac } = event
  const expected = previous.sequence + 1
  if (sequence !== expected) return { sequence: expected, problem: 'An event is missing.' }
  if (linkMac(keys, chain, previous.mac, body) !== mac) return { sequence, problem: 'An event was changed or moved.' }
  const parsed = parseBody(body)
  const isSame =
    parsed.sequence === sequence &&
    parsed.id === event.id &&
    parsed.type === event.type &&
    parsed.at === new Date(event.at).toISOString()
  return isSame ? undefined : { sequence, problem: 'The columns of an event differ from its body.' }
}

function encodeBody(event: NewEvent, position: { sequence: number; id: string; at: number }): string {
  return JSON.stringify({
    v: 1,
    id: position.id,
    sequence: position.sequence,
    at: new Date(position.at).toISOString(),
    type: event.type,
    detail: event.detail,
    data: event.data,
    actor: event.actor,
    reason: event.reason,
    policy: event.policy,
  })
}

/** The event as callers see it. */
export function readEvent(user: string, stored: StoredEvent): Event {
  return { ...parseBody(stored.body), user, mac: stored.mac }
}

/** Throws `store_damaged` when the text is not JSON. */
export function parseBody(body: string): EventBody {
  try {
    return JSON.parse(body) as EventBody
  } catch (cause) {
    throw new PurserError('store_damaged', 'A stored event cannot be read.', {
      hint: 'Run `purser verify` to find it, and restore it from a backup.',
      cause,
    })
  }
}
