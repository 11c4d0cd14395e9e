import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { LimitTicket } from './limits/admission.ts'
import type { LedgerWrite } from './state.ts'

/** Proof of what an admission counted and when. Valid in every process that shares the store. */
export interface Ticket extends LimitTicket {
  /** The incarnation of the user it belongs to; 0: not known, because the store was unavailable. */
  readonly incarnation: number
  /** Wall clock at its admission, epoch ms. */
  readonly issuedAt: number
  /** Whether it already pays for the turn that was admitted with it. */
  readonly claimed: boolean
}

/** How long after its admission a ticket can be settled or refunded. After that its record may be removed. */
export const TICKET_TTL_MS: number = 7 * 86_400_000

/** A ticket contains the name of a model. */
const TICKET_MAX_LENGTH = 16_384

/** Tickets encoded by this process, whose MAC need not be checked again. The cache is cleared when it is full. */
const MAX_CACHED = 16

/** Encodes and authenticates the tickets of one user. */
export class Tickets {
  readonly #keys: Keyring
  readonly #user: Subject
  readonly #encoded = new Map<string, Ticket>()

  constructor(keys: Keyring, user: Subject) {
    this.#keys = keys
    this.#user = user
  }

  /** The ticket as text, with its MAC. */
  encode(ticket: Ticket): string {
    const { id, incarnation, at, weight, model, downgradedBy, issuedAt, claimed } = ticket
    const body = JSON.stringify([2, id, incarnation, at, weight, model, downgradedBy, issuedAt, claimed ? 1 : 0])
    const text = `${Buffer.from(body).toString('base64url')}.${this.#mac(body)}`
    if (this.#encoded.size >= MAX_CACHED) this.#encoded.clear()
    this.#encoded.set(text, ticket)
    return text
  }

  /** Throws `ticket_invalid` unless it is an unchanged ticket of this user. */
  decode(text: unknown): Ticket {
    if (typeof text !== 'string' || text.length > TICKET_MAX_LENGTH) throw ticketInvalid()
    const cached = this.#encoded.get(text)
    if (cached !== undefined) return cached
    const dot = text.indexOf('.')
    const body = Buffer.from(text.slice(0, Math.max(dot, 0)), 'base64url').toString()
    const mac = Buffer.from(text.slice(dot + 1))
    const expected = Buffer.from(this.#mac(body))
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) throw ticketInvalid()
    return body.startsWith('1~') ? parseFirstFormat(body) : parseBody(body)
  }

  #mac(body: string): string {
    return this.#keys.mac('tickets', [this.#user.namespace, this.#user.id, body])
  }
}

function parseBody(body: string): Ticket {
  const [version, id, incarnation, at, weight, model, downgradedBy, issuedAt, claimed] = JSON.parse(body) as [
    number,
    string,
    number,
    number,
    number,
    string | null,
    string | null,
    number,
    number,
  ]
  if (version !== 2) throw ticketInvalid()
  return { id, incarnation, at, weight, model, downgradedBy, issuedAt, claimed: claimed === 1 }
}

/** Tickets until 0.1.0, which are valid for some days after an update. They name their window, which `at` stands for. */
function parseFirstFormat(body: string): Ticket {
  const [, incarnation, , cost, issuedAt, claimed, ...id] = body.split('~')
  return {
    id: id.join('~'),
    incarnation: Number(incarnation),
    at: Number(issuedAt),
    weight: Number(cost),
    model: null,
    downgradedBy: null,
    issuedAt: Number(issuedAt),
    claimed: claimed === '1',
  }
}

/** The kind of record that stores how a ticket was used. Record names sort by time, so that old ones can be removed. */
export const TICKET_RECORDS = 'ticket'

export function ticketRecordName({ issuedAt, id }: Pick<Ticket, 'issuedAt' | 'id'>): string {
  return `${String(issuedAt).padStart(15, '0')}-${id}`
}

/** What every write with a ticket needs: the ticket's record and incarnation. */
export function ticketWrite(ticket: Ticket): Required<Pick<LedgerWrite<unknown>, 'reads' | 'incarnation'>> {
  return { reads: [{ kind: TICKET_RECORDS, name: ticketRecordName(ticket) }], ...incarnationOf(ticket) }
}

/** The same without the record, for a ticket that nothing else can use. */
export function incarnationOf({ incarnation }: Ticket): Required<Pick<LedgerWrite<unknown>, 'incarnation'>> {
  return { incarnation: incarnation === 0 ? undefined : incarnation }
}

export function ticketInvalid(): PurserError {
  return new PurserError('ticket_invalid', 'Not a valid ticket of this user.', {
    hint: `Pass a ticket as admit returned it, for the same user, within ${TICKET_TTL_MS / 86_400_000} days.`,
  })
}

export function ticketUsed(how: string): PurserError {
  return new PurserError('ticket_used', `The ticket was already ${how}.`, {
    hint: 'A ticket pays for one turn, and is settled or refunded once.',
    details: { how },
  })
}
