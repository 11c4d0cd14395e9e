import type { Effects, Purser } from 'purser'

const DAY_MS = 86_400_000
const BATCH_USERS = 512
const PHASES = ['curious', 'engaged', 'loyal', 'fading'] as const
const ZONES = ['America/New_York', 'Asia/Kolkata', 'Australia/Sydney', 'Europe/Berlin', 'Asia/Tokyo'] as const

/** A clock that the benchmark sets, because a year has to pass. */
export interface Clock extends Pick<Effects, 'now'> {
  epochMs: number
}

export function createClock(epochMs: number): Clock {
  const clock: Clock = { epochMs, now: () => clock.epochMs }
  return clock
}

/**
 * Creates the users of an application after one year, by the calls that applications make. All calls for a user at one
 * instant are made at the same time, so the journal writes them in one commit, and hundreds of users share a transaction.
 *
 * The first visits are spread evenly over the year; three in ten users return in the last thirty days, most of them
 * recently. Half of the users are not in the first phase, one in ten has a raised risk level, one in 200 is blocked, a third
 * has peaks, and one in ten has a time zone of their own.
 */
export async function populate(purser: Purser, clock: Clock, users: number): Promise<void> {
  const end = clock.epochMs
  const random = createRandom(1)
  for (let from = 0; from < users; from += BATCH_USERS) {
    clock.epochMs = end - 365 * DAY_MS * (1 - from / users)
    await visitAll(from, Math.min(BATCH_USERS, users - from), (index) => firstVisit(purser, index, random))
  }
  const returning = Math.floor(users * 0.3)
  for (let from = 0; from < returning; from += BATCH_USERS) {
    clock.epochMs = end - 30 * DAY_MS * (1 - from / returning) ** 2
    await visitAll(from, Math.min(BATCH_USERS, returning - from), () => {
      const user = purser.user(idOf(Math.floor(random() * users)))
      return user.ledger.admit({ cost: 1 + Math.floor(random() * 10) })
    })
  }
  clock.epochMs = end
}

async function firstVisit(purser: Purser, index: number, random: () => number): Promise<unknown> {
  const { ledger } = purser.user(idOf(index))
  const calls: Promise<unknown>[] = [ledger.admit({ cost: 1 + Math.floor(random() * 10) })]
  const risk = random()
  const detection = {
    phase: random() < 0.5 ? PHASES[Math.floor(random() * PHASES.length)] : undefined,
    riskLevel: risk < 0.005 ? 'critical' : risk < 0.02 ? 'high' : risk < 0.1 ? 'watch' : undefined,
  }
  const peaks = random() < 0.33 ? { signal: Math.round(random() * 1_000) / 1_000 } : undefined
  if (detection.phase !== undefined || detection.riskLevel !== undefined || peaks !== undefined)
    calls.push(ledger.observe(detection, { peaks }))
  if (random() < 0.005) calls.push(ledger.block({ actor: 'bench', reason: 'one in 200' }))
  if (random() < 0.1) calls.push(ledger.setTimeZone(ZONES[index % ZONES.length] as string))
  return Promise.all(calls)
}

async function visitAll(from: number, count: number, visit: (index: number) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => visit(from + index)))
}

/** Ids in an order independent of the order of creation: an odd factor permutes 32-bit numbers. */
function idOf(index: number): string {
  return `user-${(Math.imul(index, 2_654_435_761) >>> 0).toString(16).padStart(8, '0')}`
}

/** Pseudo-random numbers from 0 to 1, the same in every run. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
