import type { View } from '../journal/api.ts'
import type { LedgerOptions } from '../options.ts'
import type { Block, LedgerState, Measurements } from './state.ts'
import type { Usage } from './window.ts'
import { usageOf, type WindowPolicy } from './window.ts'

export type LedgerView = View<LedgerState, Measurements>

/** What the application has declared for all users. */
export interface Rules extends WindowPolicy {
  readonly dailyCap: number
  readonly phases: readonly string[] | undefined
  readonly riskLevels: readonly string[] | undefined
  readonly keepEvents: number | null
  readonly defaults: Defaults
}

export interface Defaults {
  readonly phase: string
  readonly riskLevel: string
  readonly archetype: string
  readonly eggStatus: string
}

export function rulesOf(options: LedgerOptions, timeZone: string): Rules {
  const { dailyCap, window, phases, riskLevels, keepEvents } = options
  const defaults: Defaults = {
    phase: phases?.[0] ?? 'dormant',
    riskLevel: riskLevels?.[0] ?? 'low',
    archetype: 'unknown',
    eggStatus: 'none',
  }
  return { dailyCap, window, phases, riskLevels, keepEvents, timeZone, defaults }
}

/** The cap that holds; 0 is unlimited. */
export function capOf(rules: Rules, state: LedgerState): number {
  return state.cap ?? rules.dailyCap
}

/** The block that holds at an instant: one with an end is over by itself. */
export function blockAt(state: LedgerState, now: number): Block | null {
  const { blocked } = state
  return blocked === null || (blocked.until !== null && Date.parse(blocked.until) <= now) ? null : blocked
}

export function usageIn(rules: Rules, view: Pick<LedgerView, 'state' | 'counters' | 'now'>): Usage {
  return usageOf(rules, { zone: view.state.zone, counters: view.counters, now: view.now })
}

export interface Quota {
  /** What may still be used in this window; -1 is unlimited. */
  readonly remaining: number
  /** 0 is unlimited. */
  readonly cap: number
  readonly count: number
  /** When the count next falls; null when it is unlimited or nothing is counted. */
  readonly resetAt: string | null
}

export function quotaOf(cap: number, usage: Usage): Quota {
  return {
    remaining: cap === 0 ? -1 : Math.max(0, cap - usage.count),
    cap,
    count: usage.count,
    resetAt: cap === 0 ? null : instant(usage.freeAt(1)),
  }
}

/** The last instant that was written as text: most users' windows end at the same one. */
let last = { epochMs: 0, text: new Date(0).toISOString() }

export function instant(epochMs: number): string
export function instant(epochMs: number | null): string | null
export function instant(epochMs: number | null): string | null {
  if (epochMs === null) return null
  if (last.epochMs !== epochMs) last = { epochMs, text: new Date(epochMs).toISOString() }
  return last.text
}
