import { withSignal } from '../core/abort.ts'
import { publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { parseInteger, validateFields, validateOptions } from '../core/validate.ts'
import type {
  AdmitOptions,
  AdmittedTurn,
  IdempotencyOptions,
  InternalUserLedger,
  TokenUsage,
  UserLedger,
} from './api.ts'
import {
  type Admission,
  type AdmissionOutcome,
  type Admitted,
  admit,
  checkBlock,
  claim,
  type Granted,
  parseCost,
  refund,
  type Settlement,
  settle,
  type TokenCounts,
} from './decide/admission.ts'
import type { LedgerDeps } from './deps.ts'
import { capOf, currentUsage, quotaOf } from './quota.ts'
import { type Ticket, Tickets, ticketWrite } from './tickets.ts'
import { IDEMPOTENCY_OPTIONS, idempotentWrite } from './write-options.ts'

type Admissions = Pick<InternalUserLedger, 'admitTurn'> &
  Pick<UserLedger, 'admit' | 'claim' | 'quota' | 'refund' | 'settle'>

export function createAdmissions(deps: LedgerDeps, user: Subject): Admissions {
  const tickets = new Tickets(deps.keys, user)
  const writes = new AdmissionWrites(deps, user, tickets)

  return {
    async admit(options = {}) {
      validateOptions('admit', options, ['cost', ...IDEMPOTENCY_OPTIONS])
      const outcome = await writes.admit(options, { call: 'admit', body: null, claimed: false })
      return encodeOutcome(tickets, outcome)
    },

    async admitTurn({ ticket, request, ...options }) {
      const outcome =
        ticket === undefined
          ? await writes.admit(options, { call: 'turn', body: request, claimed: true })
          : await writes.claim(tickets.decode(ticket), options, { call: 'turn', body: { ticket, asked: request } })
      if (!outcome.allowed) return outcome
      const isShared = ticket !== undefined || options.idempotencyKey !== undefined
      return new TurnAdmission(writes, tickets, outcome, isShared)
    },

    async claim(ticket, options = {}) {
      validateOptions('claim', options, [])
      const { signal } = options
      return encodeOutcome(
        tickets,
        await writes.claim(tickets.decode(ticket), { signal }, { call: 'claim', body: null }),
      )
    },

    async quota(options = {}) {
      validateOptions('quota', options, [])
      const view = await withSignal(deps.journal.read(user), options.signal)
      return quotaOf(capOf(deps.rules, view.state), currentUsage(deps.rules, view))
    },

    async refund(ticket, options = {}) {
      validateOptions('refund', options, IDEMPOTENCY_OPTIONS)
      return writes.refund(tickets.decode(ticket), { ...options, body: ticket })
    },

    async settle(ticket, usage = {}, options = {}) {
      validateOptions('settle', options, IDEMPOTENCY_OPTIONS)
      const tokens = parseUsage(usage)
      return writes.settle(tickets.decode(ticket), tokens, { ...options, body: { text: ticket, tokens } })
    },
  }
}

interface AdmissionCall {
  readonly call: 'admit' | 'claim' | 'turn'
  readonly body: unknown
}

/** The writes behind the calls, with parsed arguments. */
class AdmissionWrites {
  readonly #deps: LedgerDeps
  readonly #user: Subject
  readonly #tickets: Tickets

  constructor(deps: LedgerDeps, user: Subject, tickets: Tickets) {
    this.#deps = deps
    this.#user = user
    this.#tickets = tickets
  }

  async admit(
    options: AdmitOptions,
    { call, body, claimed }: AdmissionCall & { readonly claimed: boolean },
  ): Promise<AdmissionOutcome> {
    const { journal, rules, effects } = this.#deps
    const cost = parseCost(options.cost)
    const command = { cost, ticketId: effects.randomId(), claimed }
    const outcome = await journal.write<AdmissionOutcome, Admission>(this.#user, {
      ...this.#idempotentWrite(options, { call, body: { cost, asked: body } }),
      decide: (view) => admit(rules, command, view),
    })
    this.#publish(outcome)
    if (outcome.allowed && outcome.quota.count === cost) this.#deps.sweeper.onWindowOpened(this.#user)
    return outcome
  }

  claim(ticket: Ticket, options: IdempotencyOptions, call: AdmissionCall): Promise<AdmissionOutcome> {
    return this.#deps.journal.write<AdmissionOutcome, Admission>(this.#user, {
      ...ticketWrite(ticket),
      ...this.#idempotentWrite(options, call),
      decide: (view) => claim(this.#deps.rules, ticket, view),
    })
  }

  async refund(
    ticket: Ticket,
    { body, ...options }: IdempotencyOptions & { readonly body?: unknown } = {},
  ): Promise<boolean> {
    const isRefunded = await this.#deps.journal.write<boolean>(this.#user, {
      ...ticketWrite(ticket),
      ...idempotentWrite<boolean>(options, { call: 'refund', body }),
      decide: (view) => refund(this.#deps.rules, { ticket, isShared: true }, view),
    })
    if (isRefunded) this.#ticketClosed()
    return isRefunded
  }

  refundLater(ticket: Ticket, isShared: boolean): void {
    this.#deps.journal.defer<boolean>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : { incarnation: ticket.incarnation }),
      decide: (view) => refund(this.#deps.rules, { ticket, isShared }, view),
    })
    this.#ticketClosed(isShared)
  }

  async settle(
    ticket: Ticket,
    tokens: TokenCounts,
    { body, ...options }: IdempotencyOptions & { readonly body?: unknown } = {},
  ): Promise<void> {
    await this.#deps.journal.write<void>(this.#user, {
      ...ticketWrite(ticket),
      ...idempotentWrite<void>(options, { call: 'settle', body }),
      decide: (view) => settle(this.#deps.rules, { ticket, tokens, isShared: true }, view),
    })
    this.#ticketClosed()
  }

  settleLater(settlement: Settlement): void {
    const { ticket, isShared } = settlement
    this.#deps.journal.defer<void>(this.#user, {
      ...(isShared ? ticketWrite(ticket) : { incarnation: ticket.incarnation }),
      decide: (view) => settle(this.#deps.rules, settlement, view),
    })
    this.#ticketClosed(isShared)
  }

  /** Stores an outcome with its encoded ticket. The repeat of a turn by a user who was blocked since is refused. */
  #idempotentWrite(
    options: IdempotencyOptions,
    { call, body }: AdmissionCall,
  ): ReturnType<typeof idempotentWrite<AdmissionOutcome, Admission>> {
    return idempotentWrite<AdmissionOutcome, Admission>(options, {
      call,
      body,
      encodeResult: (outcome) => encodeOutcome(this.#tickets, outcome),
      replay: (stored, view) =>
        (call === 'turn' ? checkBlock(this.#deps.rules, view) : undefined) ?? decodeOutcome(this.#tickets, stored),
    })
  }

  #publish(outcome: AdmissionOutcome): void {
    const { namespace, id } = this.#user
    publish('admission', { namespace, user: id, outcome: outcome.allowed ? 'allowed' : outcome.reason })
    if (outcome.allowed) publish('activity', { namespace, user: id })
  }

  #ticketClosed(hasRecord = true): void {
    publish('activity', { namespace: this.#user.namespace, user: this.#user.id })
    if (hasRecord) this.#deps.sweeper.onTicketClosed(this.#user)
  }
}

function encodeOutcome(tickets: Tickets, outcome: AdmissionOutcome): Admission {
  return outcome.allowed ? { allowed: true, ticket: tickets.encode(outcome.ticket), ...outcome.quota } : outcome
}

function decodeOutcome(tickets: Tickets, admission: Admission): AdmissionOutcome {
  if (!admission.allowed) return admission
  const { allowed, ticket, ...quota } = admission
  return { allowed, ticket: tickets.decode(ticket), quota }
}

/**
 * The admission of a turn. While its ticket is in no other hands, it can be used only here: its use needs no record.
 * Once its text was read, another process may use it as well.
 */
class TurnAdmission implements AdmittedTurn {
  readonly allowed = true
  readonly admission: Admitted
  readonly #writes: AdmissionWrites
  readonly #ticket: Ticket
  #isShared: boolean

  constructor(writes: AdmissionWrites, tickets: Tickets, { ticket, quota }: Granted, isShared: boolean) {
    const share = (): string => {
      this.#isShared = true
      return tickets.encode(ticket)
    }
    let text: string | undefined
    this.#writes = writes
    this.#ticket = ticket
    this.#isShared = isShared
    this.admission = {
      allowed: true,
      get ticket() {
        text ??= share()
        return text
      },
      ...quota,
    }
  }

  settle(usage: TokenUsage): void {
    this.#writes.settleLater({ ticket: this.#ticket, tokens: parseUsage(usage), isShared: this.#isShared })
  }

  refund(): void {
    this.#writes.refundLater(this.#ticket, this.#isShared)
  }
}

const MAX_TOKENS = 1_000_000_000_000

function parseUsage(usage: TokenUsage): TokenCounts {
  validateFields(usage, ['inputTokens', 'outputTokens'], { name: 'usage' })
  const { inputTokens = 0, outputTokens = 0 } = usage
  return {
    inputTokens: parseInteger(inputTokens, { name: 'inputTokens', min: 0, max: MAX_TOKENS }),
    outputTokens: parseInteger(outputTokens, { name: 'outputTokens', min: 0, max: MAX_TOKENS }),
  }
}
