import type { HoldOptions } from '../../options.ts'
import { decideAdmission, type LimitContext, type LimitTicket } from '../limits/admission.ts'
import { refundUsage, settleUsage } from '../limits/settlement.ts'
import { NO_USAGE, type Usage } from '../limits/usage.ts'
import type { ReplayedTurn } from './stored-turn.ts'

/** A turn that the rules of a replay refuse. */
export interface ReplayedRefusal {
  /** The first limit that refuses. */
  readonly limit: string
}

/** A replayed turn that has not ended yet. */
interface RunningTurn {
  readonly turn: ReplayedTurn
  readonly ticket: LimitTicket
}

/**
 * The turns of one user under other rules, decided by the functions that decide them in earnest: each at the instant of
 * its admission, after everything that had ended by then.
 */
export class Replay {
  readonly #context: Omit<LimitContext, 'now'>
  readonly #hold: HoldOptions
  /** By the instants of their ends. */
  readonly #running: RunningTurn[] = []
  #usage: Usage = NO_USAGE

  constructor(context: Omit<LimitContext, 'now'>, hold: HoldOptions) {
    this.#context = context
    this.#hold = hold
  }

  /** Turns must come in the order of their admissions. Undefined: the turn is admitted. */
  admit(turn: ReplayedTurn): ReplayedRefusal | undefined {
    const { at, weight, model, estimate, endedAt, number } = turn
    this.#endBefore(turn)
    // A turn in progress renews its lease.
    const leaseMs = Math.max(0, endedAt - at) + this.#hold.leaseMs
    const request = { id: String(number), weight, model, estimate, leaseMs }
    const outcome = decideAdmission({ ...this.#context, now: at }, request, this.#usage)
    if (outcome.usage !== undefined) this.#usage = outcome.usage
    if (!outcome.allowed) return { limit: outcome.rule.name }
    this.#add({ turn, ticket: outcome.ticket })
    return undefined
  }

  #add(running: RunningTurn): void {
    let index = this.#running.length
    while (index > 0 && (this.#running[index - 1] as RunningTurn).turn.endedAt > running.turn.endedAt) index--
    this.#running.splice(index, 0, running)
  }

  /** What was recorded later than the turn had not ended when that was admitted, although the instants are equal. */
  #endBefore({ at, number }: ReplayedTurn): void {
    let count = 0
    for (const running of this.#running) {
      const { endedAt, number: other } = running.turn
      if (endedAt > at || (endedAt === at && other > number)) break
      this.#end(running)
      count++
    }
    if (count > 0) this.#running.splice(0, count)
  }

  #end({ turn, ticket }: RunningTurn): void {
    const { tokens, endedAt, admission } = turn
    const context = { ...this.#context, now: endedAt }
    if (admission === 'refunded') {
      this.#usage = refundUsage(context, ticket, this.#usage).usage ?? this.#usage
      return
    }
    // A limit may send the turn to another model, at another price.
    const cost = ticket.model === turn.model ? (turn.cost ?? undefined) : undefined
    const settlement = { ...tokens, cost }
    this.#usage = settleUsage(context, { ticket, settlement }, this.#usage).usage ?? this.#usage
  }
}
