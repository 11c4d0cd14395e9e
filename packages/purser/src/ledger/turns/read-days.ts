import { type AbortOptions, withSignal } from '../../core/abort.ts'
import { readPage } from '../../core/long-read.ts'
import { validateOptions } from '../../core/validate.ts'
import type { Overview } from '../../storage/store.ts'
import type { SumPage, SumRow } from '../../storage/sum-store.ts'
import type { LedgerDeps } from '../deps.ts'
import { dwellClassOf, medianOf } from './dwell-classes.ts'
import { dateOf, LAST_DATE, parseBound, validateDays } from './read-usage.ts'
import { parseSumKey } from './usage-sums.ts'

export interface DaysOptions extends AbortOptions {
  /** The first day (UTC), `YYYY-MM-DD`, or an instant. Default: 30 days ago. At most 400 days ago. */
  readonly from?: string | undefined
  /** The first day that is excluded. Default: none is. */
  readonly to?: string | undefined
}

/** Numbers of users at the end of one day (UTC), or now, and how they went from phase to phase on it. */
export interface OverviewDay {
  readonly day: string
  readonly users: number
  readonly phases: Readonly<Record<string, number>>
  readonly riskLevels: Readonly<Record<string, number>>
  readonly transitions: readonly PhaseTransition[]
}

export interface PhaseTransition {
  /** Null: users who were new. */
  readonly from: string | null
  /** Null: users who were erased. */
  readonly to: string | null
  readonly users: number
  /** How long they were in the phase before, on average. */
  readonly averageMs: number
}

/** How users went from one phase to another in a period of days. */
export interface PhaseChange extends PhaseTransition {
  /** The median of how long they were in the phase before, exact to 5 %. */
  readonly medianMs: number
}

type DaysDeps = Pick<LedgerDeps, 'store' | 'calls' | 'journal' | 'effects'>

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 30
const MAX_DAYS = 400
const PAGE_ROWS = 1_000

interface DayTransition {
  readonly from: string | null
  readonly to: string | null
  users: number
  ms: number
  /** Users by the class of their time. */
  readonly dwells: Map<number, number>
}

/** What changed on one day. */
interface DayChanges {
  readonly transitions: Map<string, DayTransition>
  readonly rows: {
    readonly kind: 'phase' | 'risk'
    readonly from: string | null
    readonly to: string | null
    users: number
  }[]
}

/**
 * The days from `from` to `to`, oldest first. Begins with the numbers of now and takes back what changed since, day by
 * day: a day before records began has the numbers of the first day that has any.
 */
export async function readDays(deps: DaysDeps, namespace: string, options: DaysOptions = {}): Promise<OverviewDay[]> {
  validateOptions('overviewByDay', options, ['from', 'to'])
  const now = deps.effects.now()
  const { from, to } = parsePeriod(options, now)
  const read = deps.calls.run(async () => {
    await deps.journal.flushAll()
    const overview = await deps.store.users.overview(namespace)
    return takeBack(overview, await readChanges(deps, namespace, dateOf(from)), { from, now })
  })
  return (await withSignal(read, options.signal)).filter(({ day }) => day < to)
}

async function readChanges({ store }: DaysDeps, namespace: string, from: string): Promise<Map<string, DayChanges>> {
  const days = new Map<string, DayChanges>()
  for (let after: SumPage['after']; ; ) {
    const page: readonly SumRow[] = await readPage(() =>
      store.sums.ofNamespace(namespace, { from, to: LAST_DATE, after, limit: PAGE_ROWS }),
    )
    for (const row of page) addChange(days, row)
    if (page.length < PAGE_ROWS) return days
    after = page.at(-1)
  }
}

function addChange(days: Map<string, DayChanges>, { day, key: text, amounts }: SumRow): void {
  const key = parseSumKey(text)
  if (key[0] !== 'phase' && key[0] !== 'risk') return
  const [kind, from, to] = key
  const pair = JSON.stringify([from, to])
  const changes: DayChanges = days.get(day) ?? { transitions: new Map(), rows: [] }
  days.set(day, changes)
  const [users, ms] = [Number(amounts[0]), Number(amounts[1])]
  changes.rows.push({ kind, from, to, users })
  if (kind === 'risk') return
  const transition = changes.transitions.get(pair) ?? { from, to, users: 0, ms: 0, dwells: new Map() }
  addTo(transition, { users, ms, dwells: [[key[3] ?? dwellClassOf(ms / users), users]] })
  changes.transitions.set(pair, transition)
}

function addTo(
  sum: DayTransition,
  { users, ms, dwells }: Pick<DayTransition, 'users' | 'ms'> & { readonly dwells: Iterable<readonly [number, number]> },
): void {
  sum.users += users
  sum.ms += ms
  for (const [dwell, count] of dwells) sum.dwells.set(dwell, (sum.dwells.get(dwell) ?? 0) + count)
}

/** The changes of phase from `from` to `to` over all users, the most frequent first. */
export async function readPhaseChanges(
  deps: DaysDeps,
  namespace: string,
  options: DaysOptions = {},
): Promise<PhaseChange[]> {
  validateOptions('phaseChanges', options, ['from', 'to'])
  const { from, to } = parsePeriod(options, deps.effects.now())
  const read = deps.calls.run(async () => {
    await deps.journal.flushAll()
    return readChanges(deps, namespace, dateOf(from))
  })
  const sums = new Map<string, DayTransition>()
  for (const [day, { transitions }] of await withSignal(read, options.signal)) {
    if (day >= to) continue
    for (const [pair, one] of transitions) {
      const sum = sums.get(pair) ?? { from: one.from, to: one.to, users: 0, ms: 0, dwells: new Map() }
      addTo(sum, one)
      sums.set(pair, sum)
    }
  }
  return [...sums.values()]
    .toSorted((a, b) => b.users - a.users)
    .map(({ from: before, to: after, users, ms, dwells }) => ({
      from: before,
      to: after,
      users,
      averageMs: Math.round(ms / users),
      medianMs: medianOf(dwells),
    }))
}

function parsePeriod(options: DaysOptions, now: number): { readonly from: number; readonly to: string } {
  const asked = options.from === undefined ? now - DEFAULT_DAYS * DAY_MS : parseBound(options.from, 'from')
  const to = options.to === undefined ? undefined : parseBound(options.to, 'to')
  validateDays(asked, to)
  return {
    from: Math.max(asked, now - MAX_DAYS * DAY_MS),
    to: to === undefined ? LAST_DATE : dateOf(to),
  }
}

function takeBack(
  overview: Overview,
  changes: ReadonlyMap<string, DayChanges>,
  { from, now }: { readonly from: number; readonly now: number },
): OverviewDay[] {
  const counts = { phase: new Map(Object.entries(overview.phases)), risk: new Map(Object.entries(overview.riskLevels)) }
  const days: OverviewDay[] = []
  // The changes of a clock that was ahead are on days after today.
  for (const day of [...changes.keys()].filter((date) => date > dateOf(now)).sort()) undo(counts, changes.get(day))
  for (let at = now; dateOf(at) >= dateOf(from); at -= DAY_MS) {
    const day = dateOf(at)
    const { transitions } = changes.get(day) ?? { transitions: new Map() as DayChanges['transitions'] }
    days.unshift({
      day,
      users: [...counts.phase.values()].reduce((sum, users) => sum + users, 0),
      phases: present(counts.phase),
      riskLevels: present(counts.risk),
      transitions: [...transitions.values()].map(({ from: before, to, users, ms }) => ({
        from: before,
        to,
        users,
        averageMs: Math.round(ms / users),
      })),
    })
    undo(counts, changes.get(day))
  }
  return days
}

type Counts = Readonly<Record<'phase' | 'risk', Map<string, number>>>

function undo(counts: Counts, changes: DayChanges | undefined): void {
  for (const { kind, from, to, users } of changes?.rows ?? []) {
    if (to !== null) counts[kind].set(to, (counts[kind].get(to) ?? 0) - users)
    if (from !== null) counts[kind].set(from, (counts[kind].get(from) ?? 0) + users)
  }
}

function present(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].filter(([, users]) => users > 0).sort(([a], [b]) => (a < b ? -1 : 1)))
}
