import type { Fold } from '../../../src/journal/event.ts'

/** A state that counts its events, so that the stored state can be compared with the stored events. */
export interface Count {
  readonly events: number
}

export interface CountData {
  readonly state: Count
  readonly measurements: null
  readonly usage: { readonly steps?: number }
}

export const countingFold: Fold<CountData> = {
  initial: { state: { events: 0 }, measurements: null, usage: {} },
  evolve: ({ events }) => ({ events: events + 1 }),
  facets: ({ state }) => ({
    phase: state.events % 2 === 0 ? 'even' : 'odd',
    riskLevel: 'low',
    blocked: false,
    capUsed: state.events / 1_000,
    capUsedUntil: null,
    peak: state.events,
  }),
}

/** The root key that all processes of a test use. */
export const ROOT: Buffer = Buffer.alloc(32, 7)
