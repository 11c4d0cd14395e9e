import type { Subject } from '../core/subject.ts'
import type { LedgerDeps } from './deps.ts'
import { pruneTickets, retain } from './retention.ts'

/**
 * Removes what is too old, beside the calls that give the occasion. It fails silently and is left out when too much
 * of it runs already: the next occasion tries again.
 */
export interface TicketSweeper {
  /** The user's first use of a window. */
  windowOpened(user: Subject): void
  /** One ticket was settled or refunded; once in a while its user is looked after. */
  ticketClosed(user: Subject): void
  /** Resolves when none is under way. */
  idle(): Promise<void>
}

/** Users looked after at once. */
const MAX_AT_ONCE = 64
const TICKETS_PER_UPKEEP = 64

export function createTicketSweeper(
  house: Pick<LedgerDeps, 'journal' | 'store' | 'keys' | 'effects' | 'rules'>,
): TicketSweeper {
  const running = new Set<Promise<unknown>>()
  let closedTickets = 0

  async function lookAfter(user: Subject): Promise<void> {
    await pruneTickets(house, user)
    await retain(house, user)
  }

  function begin(user: Subject): void {
    if (running.size >= MAX_AT_ONCE) return
    const done = (): boolean => running.delete(work)
    const work: Promise<unknown> = lookAfter(user).then(done, done)
    running.add(work)
  }

  return {
    windowOpened: begin,
    ticketClosed(user) {
      if (++closedTickets % TICKETS_PER_UPKEEP === 0) begin(user)
    },
    async idle() {
      await Promise.all(running)
    },
  }
}
