import type { Purser } from 'purser'
import { afterCurrentTick } from 'purser/internal'
import type { DemoClock } from './demo-clock.ts'
import { createDemoPeople, type DemoPerson } from './demo-person.ts'
import { type PlannedAct, planPast } from './plan-past.ts'
import { createSeededRandom } from './seeded-random.ts'

export const PAST_DAYS = 30

const SEED = 2_026
const DAY_MS = 86_400_000
/** Acts within this time run at once. */
const SLOT_MS = 15 * 60_000
/** Iterations of the event loop without an end of an act, after which only a timer can help. */
const QUIET_ITERATIONS = 8

export interface WritePastOptions {
  readonly purser: Purser
  readonly clock: DemoClock
  /** Number of users, at most 200. */
  readonly users: number
}

/** Lives through the last 30 days of the users, with the public calls of the library, and arrives at the present. */
export async function writePast({ purser, clock, users }: WritePastOptions): Promise<readonly DemoPerson[]> {
  const random = createSeededRandom(SEED)
  const plan = { random, now: clock.now() + PAST_DAYS * DAY_MS, pastDays: PAST_DAYS }
  const people = createDemoPeople({ ...plan, count: users })
  const acts = people.flatMap((person) => planPast(plan, person)).toSorted((a, b) => a.at - b.at)
  const slots = Map.groupBy(acts, ({ at }) => Math.floor(at / SLOT_MS))
  for (const slot of slots.values()) {
    clock.moveTo(slot[0]?.at ?? 0)
    await runSlot(purser, clock, slot)
  }
  clock.arrive()
  return people
}

/** Acts of one user run one after the other. */
async function runSlot(purser: Purser, clock: DemoClock, slot: readonly PlannedAct[]): Promise<void> {
  let running = 0
  async function runAll(user: string, acts: readonly PlannedAct[]): Promise<void> {
    running += 1
    // An act that is refused, such as a note without a user, is no reason to stop.
    for (const act of acts) await act.run(purser.user(user)).catch(() => undefined)
    running -= 1
  }
  for (const [user, acts] of Map.groupBy(slot, (act) => act.user)) void runAll(user, acts)
  while (running > 0) {
    for (let quiet = 0; quiet < QUIET_ITERATIONS && running > 0; quiet++) {
      await new Promise<void>(afterCurrentTick)
    }
    if (running > 0) clock.fireNext()
  }
}
