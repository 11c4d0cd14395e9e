import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'

/** What an admission hands out: proof of what was counted where, good in every process that shares the store. */
export interface Ticket {
  readonly id: string
  /** The user's life it belongs to. */
  readonly incarnation: number
  /** Where it was counted, and how much. */
  readonly window: string
  readonly cost: number
  /** Epoch ms. */
  readonly issuedAt: number
  /** Already pays for the turn that was admitted with it. */
  readonly claimed: boolean
}

/** A ticket is settled or refunded within this time; then its window is long over and its traces may go. */
export const TICKET_LIFE_MS: number = 7 * 86_400_000

const MAX_TICKET_LENGTH = 512

/** Tickets that are known as written here, and so need not be checked; with more, all are forgotten and checked again. */
const MAX_KNOWN = 16

/**
 * A ticket with its text. That is written, and its MAC computed, when somebody looks at it: who closes what they
 * admitted in the same process, as turns do, needs none.
 */
export class IssuedTicket {
  readonly ticket: Ticket
  readonly #write: (ticket: Ticket) => string
  #text: string | undefined

  constructor(ticket: Ticket, write: (ticket: Ticket) => string) {
    this.ticket = ticket
    this.#write = write
  }

  get text(): string {
    this.#text ??= this.#write(this.ticket)
    return this.#text
  }
}

/** The tickets of one user. */
export class Tickets {
  readonly #keys: Keyring
  readonly #user: Subject
  readonly #written = new Map<string, Ticket>()

  constructor(keys: Keyring, user: Subject) {
    this.#keys = keys
    this.#user = user
  }

  issue(ticket: Ticket): IssuedTicket {
    return new IssuedTicket(ticket, (written) => this.#write(written))
  }

  /** Throws `ticket_invalid` for all but this user's own, unchanged tickets. */
  read(text: unknown): Ticket {
    if (typeof text !== 'string' || text.length > MAX_TICKET_LENGTH) throw invalid()
    const written = this.#written.get(text)
    if (written !== undefined) return written
    const dot = text.indexOf('.')
    const body = Buffer.from(text.slice(0, Math.max(dot, 0)), 'base64url').toString()
    const given = Buffer.from(text.slice(dot + 1))
    const expected = Buffer.from(this.#macOf(body))
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw invalid()
    const [version, incarnation, window = '', cost, issuedAt, claimed, ...id] = body.split('~')
    if (version !== '1') throw invalid()
    return {
      id: id.join('~'),
      incarnation: Number(incarnation),
      window,
      cost: Number(cost),
      issuedAt: Number(issuedAt),
      claimed: claimed === '1',
    }
  }

  /** What every call with a ticket begins with: whose life it belongs to, and what was done with it so far. */
  call(given: unknown): { ticket: Ticket; reads: { kind: string; name: string }[]; incarnation: number } {
    const ticket = given instanceof IssuedTicket ? given.ticket : this.read(given)
    return { ticket, reads: [{ kind: TICKET_RECORDS, name: ticketRecord(ticket) }], incarnation: ticket.incarnation }
  }

  #write(ticket: Ticket): string {
    const { id, incarnation, window, cost, issuedAt, claimed } = ticket
    const body = `1~${incarnation}~${window}~${cost}~${issuedAt}~${claimed ? 1 : 0}~${id}`
    const text = `${Buffer.from(body).toString('base64url')}.${this.#macOf(body)}`
    if (this.#written.size >= MAX_KNOWN) this.#written.clear()
    this.#written.set(text, ticket)
    return text
  }

  #macOf(body: string): string {
    return this.#keys.mac('tickets', [this.#user.namespace, this.#user.id, body])
  }
}

/** Where it is written that a ticket was used. Names sort by time, so that old ones can be pruned. */
export const TICKET_RECORDS = 'ticket'

export function ticketRecord({ issuedAt, id }: Pick<Ticket, 'issuedAt' | 'id'>): string {
  return `${String(issuedAt).padStart(15, '0')}-${id}`
}

export function invalid(): PurserError {
  return new PurserError('ticket_invalid', 'That is not a ticket of this user.', {
    hint: `Give back a ticket as admit gave it, for the same user, within ${TICKET_LIFE_MS / 86_400_000} days.`,
  })
}

export function used(how: string): PurserError {
  return new PurserError('ticket_used', `The ticket was already ${how}.`, {
    hint: 'A ticket pays for one turn, and is settled or refunded once.',
    details: { how },
  })
}
