import { createDemoIds, DEMO_ARCHETYPES, DEMO_ZONES } from './demo-data.ts'
import type { SeededRandom } from './seeded-random.ts'

/** How a simulated user behaves. Days count backwards: 0 is the last 24 hours. */
export interface DemoPerson {
  readonly id: string
  readonly plan: 'free' | 'plus' | 'team'
  readonly timeZone: string
  readonly archetype: string
  readonly firstDay: number
  readonly lastDay: number
  readonly turnsPerDay: number
  /** How likely the phase moves on, and the risk rises, on a day. */
  readonly phasePace: number
  readonly riskPace: number
  readonly highlight: DemoHighlight | null
}

/** Something that an operator should look at. */
export type DemoHighlight =
  /** Asks for more than the cap allows, on this many days in a row; an operator has set the cap before. */
  | { readonly kind: 'eager'; readonly days: number; readonly cap?: number }
  /** Asks for more tokens than the plan allows within hours, although an operator has raised the limit. */
  | { readonly kind: 'burst'; readonly maxTokens: number }
  /** Asks twice what the provider refuses. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'alarm'; readonly minutesAgo: number }
  /** Is blocked since `hoursAgo`; null: without an end. */
  | { readonly kind: 'blocked'; readonly hoursAgo: number; readonly endsInMinutes: number | null }

const HIGHLIGHTS: readonly DemoHighlight[] = [
  { kind: 'alarm', minutesAgo: 3 },
  { kind: 'eager', days: 3, cap: 6 },
  { kind: 'refused' },
  { kind: 'blocked', hoursAgo: 23, endsInMinutes: 25 },
  { kind: 'eager', days: 1 },
  { kind: 'alarm', minutesAgo: 47 },
  { kind: 'burst', maxTokens: 1_800 },
  { kind: 'blocked', hoursAgo: 6, endsInMinutes: 2_880 },
  { kind: 'eager', days: 2, cap: 9 },
  { kind: 'refused' },
  { kind: 'alarm', minutesAgo: 260 },
  { kind: 'eager', days: 5 },
  { kind: 'blocked', hoursAgo: 50, endsInMinutes: null },
]
/** Every so many users one is a highlight. */
const HIGHLIGHT_EVERY = 13
const FIRST_HIGHLIGHT = 5

export interface DemoPeopleOptions {
  readonly count: number
  readonly pastDays: number
  readonly random: SeededRandom
  /** The present, epoch ms. */
  readonly now: number
}

export function createDemoPeople({ count, pastDays, random, now }: DemoPeopleOptions): DemoPerson[] {
  const eveningZone = findEveningZone(now)
  return createDemoIds(count).map((id, index) => {
    const person = createPerson(id, pastDays, random)
    const highlight =
      index % HIGHLIGHT_EVERY === FIRST_HIGHLIGHT ? HIGHLIGHTS[Math.floor(index / HIGHLIGHT_EVERY)] : undefined
    if (highlight === undefined) return person
    const plan = highlight.kind === 'refused' ? 'team' : 'free'
    return { ...person, plan, timeZone: eveningZone, firstDay: pastDays - 1, lastDay: 0, highlight }
  })
}

function createPerson(id: string, pastDays: number, random: SeededRandom): DemoPerson {
  const firstDay = random.chance(0.6) ? pastDays - 1 : random.between(1, pastDays - 1)
  return {
    id,
    plan: random.pick(['free', 'free', 'free', 'plus', 'plus', 'team']),
    timeZone: random.pick(DEMO_ZONES),
    archetype: random.pick(DEMO_ARCHETYPES),
    firstDay,
    lastDay: random.chance(0.2) ? random.between(1, firstDay) : 0,
    turnsPerDay: 0.2 + 1.6 * random.next() ** 3,
    phasePace: 0.04 + 0.12 * random.next(),
    riskPace: random.chance(0.3) ? 0.12 : 0.02,
    highlight: null,
  }
}

/** A zone in which a day is nearly over, so that what was done in the last hours was done on one day. */
function findEveningZone(now: number): string {
  const hourIn = (timeZone: string): number =>
    Number(new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', hourCycle: 'h23' }).format(now))
  return DEMO_ZONES.reduce((latest, zone) => (hourIn(zone) > hourIn(latest) ? zone : latest))
}
