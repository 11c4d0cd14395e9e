import type { Effects, Purser } from 'purser'

const DAY_MS = 86_400_000
const TOGETHER = 512
const PHASES = ['curious', 'engaged', 'loyal', 'fading'] as const
const ZONES = ['America/New_York', 'Asia/Kolkata', 'Australia/Sydney', 'Europe/Berlin', 'Asia/Tokyo'] as const

/** A clock that is set by hand, because a year has to pass. */
export interface Clock extends Pick<Effects, 'now'> {
  epochMs: number
}

export function createClock(epochMs: number): Clock {
  const clock: Clock = { epochMs, now: () => clock.epochMs }
  return clock
}

/*
 * A year of an application's life, made by the same calls that applications make. All that happens to a user at one
 * instant is asked for together, so the journal puts it into one commit, and hundreds of users share a transaction.
 *
 * Everybody came once, evenly over the year; three in ten came back in the last thirty days, most of them lately. Half
 * have another phase than the first, one in ten is at some risk, one in 200 blocked, a third has peaks, one in ten a
 * zone of their own.
 */
export async function populate(purser: Purser, clock: Clock, users: number): Promise<void> {
  const end = clock.epochMs
  const chance = createChance(1)
  for (let from = 0; from < users; from += TOGETHER) {
    clock.epochMs = end - 365 * DAY_MS * (1 - from / users)
    await together(from, Math.min(TOGETHER, users - from), (index) => firstVisit(purser, index, chance))
  }
  const returning = Math.floor(users * 0.3)
  for (let from = 0; from < returning; from += TOGETHER) {
    clock.epochMs = end - 30 * DAY_MS * (1 - from / returning) ** 2
    await together(from, Math.min(TOGETHER, returning - from), () => {
      const user = purser.user(idOf(Math.floor(chance() * users)))
      return user.ledger.admit({ cost: 1 + Math.floor(chance() * 10) })
    })
  }
  clock.epochMs = end
}

async function firstVisit(purser: Purser, index: number, chance: () => number): Promise<unknown> {
  const { ledger } = purser.user(idOf(index))
  const calls: Promise<unknown>[] = [ledger.admit({ cost: 1 + Math.floor(chance() * 10) })]
  const risk = chance()
  const detection = {
    phase: chance() < 0.5 ? PHASES[Math.floor(chance() * PHASES.length)] : undefined,
    riskLevel: risk < 0.005 ? 'critical' : risk < 0.02 ? 'high' : risk < 0.1 ? 'watch' : undefined,
  }
  const peaks = chance() < 0.33 ? { signal: Math.round(chance() * 1_000) / 1_000 } : undefined
  if (detection.phase !== undefined || detection.riskLevel !== undefined || peaks !== undefined)
    calls.push(ledger.observe(detection, { peaks }))
  if (chance() < 0.005) calls.push(ledger.block({ actor: 'bench', reason: 'one in 200' }))
  if (chance() < 0.1) calls.push(ledger.setTimeZone(ZONES[index % ZONES.length] as string))
  return Promise.all(calls)
}

async function together(from: number, count: number, visit: (index: number) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => visit(from + index)))
}

/** Ids in an order that has nothing to do with the order of arrival: an odd factor permutes 32 bits. */
function idOf(index: number): string {
  return `user-${(Math.imul(index, 2_654_435_761) >>> 0).toString(16).padStart(8, '0')}`
}

/** The same numbers from 0 to 1 in every run. */
function createChance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
