import type { Bond, Event, Purser } from 'purser'
import type { ServerOptions } from '../config/server-options.ts'

/**
 * The rules, the most urgent one first. A user is listed once, by the first rule that names the user. The cap comes before other
 * limits: it is reached now, and they may have been reached up to 24 hours ago.
 */
export const ATTENTION_RULES = ['risk', 'provider_refusal', 'cap', 'limit', 'block_ends'] as const

export type AttentionRule = (typeof ATTENTION_RULES)[number]

/** Why a user needs attention: what a sentence about it needs. */
export interface AttentionReason {
  readonly rule: AttentionRule
  /** Since when: of the last change of risk, the last refusal, or the first day in a row. Null if not known. */
  readonly at: string | null
  /** The risk level before, and how long it lasted. */
  readonly from: string | null
  readonly fromMs: number | null
  /** The limit that was reached, or the provider that refused. */
  readonly name: string | null
  /** How often within 24 hours, or on how many days in a row. */
  readonly count: number
  /** When a block ends. */
  readonly until: string | null
}

/** A user who needs attention, by the most urgent rule. */
export interface AttentionRow extends AttentionReason {
  readonly user: string
  readonly phase: string
  readonly riskLevel: string
  /** The reasons by further rules, the most urgent one first. */
  readonly others: readonly AttentionReason[]
}

export interface Attention {
  /** All users who need attention. */
  readonly total: number
  /** False when more users or events match than are looked at. */
  readonly complete: boolean
  readonly rules: readonly { readonly rule: AttentionRule; readonly threshold: number; readonly users: number }[]
  readonly rows: readonly AttentionRow[]
}

export interface AttentionDeps {
  readonly purser: Purser
  readonly options: Pick<
    ServerOptions,
    'attentionRiskLevels' | 'attentionCapPercent' | 'attentionRefusals' | 'attentionBlockEndsMs'
  >
  now(): number
}

/** Users that are looked at for one rule. */
const MAX_USERS = 10_000
const DAY_MS = 86_400_000
/** Risk levels of applications that declare none, highest first. */
const USUAL_RISK_LEVELS = ['critical', 'severe', 'high', 'elevated', 'medium', 'moderate']
/** Events that are read to count days in a row. */
const REACHED_EVENTS = 40

interface Candidate {
  readonly user: string
  readonly rule: AttentionRule
  /** Within the rule: higher is more urgent. */
  readonly rank: number
  readonly bond: Bond | undefined
  readonly events: readonly Event[]
}

/** All users who need attention by the configured rules, the most urgent `limit` of them with what is to be said. */
export async function findAttention(deps: AttentionDeps, limit: number): Promise<Attention> {
  const { options } = deps
  const recent = await deps.purser.recentEvents({
    since: new Date(deps.now() - DAY_MS).toISOString(),
    types: ['risk_change', 'provider_refusal', 'limit_reached'],
  })
  const found = [
    ...(await atHighRisk(deps, recent.events)),
    ...refused(deps, recent.events),
    ...overLimit(recent.events),
    ...(await atCap(deps)),
    ...(await blockEnds(deps)),
  ]
  const byUser = [...Map.groupBy(found.toSorted(compareUrgency), ({ user }) => user)]
  const usersOf = (rule: AttentionRule): number => found.filter((candidate) => candidate.rule === rule).length
  const thresholds: Readonly<Record<AttentionRule, number>> = {
    risk: options.attentionRiskLevels,
    provider_refusal: options.attentionRefusals,
    limit: 1,
    cap: options.attentionCapPercent,
    block_ends: options.attentionBlockEndsMs,
  }
  return {
    total: byUser.length,
    complete: recent.complete && found.length < MAX_USERS,
    rules: ATTENTION_RULES.map((rule) => ({ rule, threshold: thresholds[rule], users: usersOf(rule) })),
    rows: await Promise.all(byUser.slice(0, limit).map(([user, candidates]) => describe(deps, user, candidates))),
  }
}

function compareUrgency(a: Candidate, b: Candidate): number {
  return ATTENTION_RULES.indexOf(a.rule) - ATTENTION_RULES.indexOf(b.rule) || b.rank - a.rank
}

async function take(users: AsyncIterable<Bond>): Promise<Bond[]> {
  const taken: Bond[] = []
  for await (const bond of users) if (taken.push(bond) === MAX_USERS) break
  return taken
}

/** The first of a list are the most urgent ones of its rule. */
function candidates(rule: AttentionRule, bonds: readonly Bond[]): Candidate[] {
  return bonds.map((bond, index) => ({ user: bond.user, rule, rank: -index, bond, events: [] }))
}

/** Those whose risk has changed last come first, within a level; then those who were seen last. */
async function atHighRisk({ purser, options }: AttentionDeps, recent: readonly Event[]): Promise<Candidate[]> {
  if (options.attentionRiskLevels === 0) return []
  const highest = (await riskLevels(purser)).slice(0, options.attentionRiskLevels)
  const lists = highest.map((riskLevel) => take(purser.users({ riskLevel, orderBy: 'lastSeenAt', limit: 1_000 })))
  const changed = new Map(groupByUser(recent, 'risk_change').map(([user], index) => [user, index]))
  const orderOf = ({ user }: Bond): number => changed.get(user) ?? changed.size
  const ordered = (await Promise.all(lists)).map((bonds) => bonds.toSorted((a, b) => orderOf(a) - orderOf(b)))
  return candidates('risk', ordered.flat())
}

/** Highest first: as declared, or those of the usual ones that are in use. */
async function riskLevels({ vocabulary, overview }: Purser): Promise<readonly string[]> {
  if (vocabulary.riskLevels !== null) return vocabulary.riskLevels.toReversed()
  const inUse = (await overview()).riskLevels
  return USUAL_RISK_LEVELS.filter((level) => (inUse[level] ?? 0) > 0)
}

function groupByUser(events: readonly Event[], type: string): [string, Event[]][] {
  const matching = events.filter((event) => event.type === type && event.user !== '')
  return [...Map.groupBy(matching, ({ user }) => user)]
}

function refused({ options }: AttentionDeps, recent: readonly Event[]): Candidate[] {
  if (options.attentionRefusals === 0) return []
  return groupByUser(recent, 'provider_refusal')
    .filter(([, events]) => events.length >= options.attentionRefusals)
    .map(([user, events]) => ({ user, rule: 'provider_refusal', rank: events.length, bond: undefined, events }))
}

/** Users who have reached a limit other than the cap, which has a rule of its own. */
function overLimit(recent: readonly Event[]): Candidate[] {
  const enforced = recent.filter(({ data }) => data.limit !== 'daily' && data.mode !== 'observe')
  return groupByUser(enforced, 'limit_reached').map(([user, events]) => {
    return { user, rule: 'limit', rank: events.length, bond: undefined, events }
  })
}

async function atCap({ purser, options }: AttentionDeps): Promise<Candidate[]> {
  if (options.attentionCapPercent === 0) return []
  const capUsed = options.attentionCapPercent / 100
  return candidates('cap', await take(purser.users({ capUsed, orderBy: 'capUsed', limit: 1_000 })))
}

async function blockEnds({ purser, options, now }: AttentionDeps): Promise<Candidate[]> {
  if (options.attentionBlockEndsMs === 0) return []
  const end = now() + options.attentionBlockEndsMs
  const blocked = await take(purser.users({ blocked: true, limit: 1_000 }))
  const ending = blocked.filter(({ blocked: block }) => block?.until != null && Date.parse(block.until) <= end)
  const endOf = ({ blocked: block }: Bond): number => Date.parse(block?.until ?? '')
  return candidates(
    'block_ends',
    ending.toSorted((a, b) => endOf(a) - endOf(b)),
  )
}

/** One user, of whom there is at least one candidate. */
async function describe({ purser }: AttentionDeps, user: string, found: readonly Candidate[]): Promise<AttentionRow> {
  const { ledger } = purser.user(user)
  const bond = found.find((candidate) => candidate.bond !== undefined)?.bond ?? (await ledger.bond())
  const reasons = await Promise.all(found.map((candidate) => reasonOf(ledger, bond, candidate)))
  const [strongest, ...others] = reasons as [AttentionReason, ...AttentionReason[]]
  return { user, phase: bond.phase, riskLevel: bond.riskLevel, ...strongest, others }
}

async function reasonOf(ledger: Ledger, bond: Bond, { rule, events }: Candidate): Promise<AttentionReason> {
  const row = {
    rule,
    at: null,
    from: null,
    fromMs: null,
    name: null,
    count: events.length,
    until: bond.blocked?.until ?? null,
  }
  const newest = events[0]
  if (rule === 'risk') return { ...row, ...(await lastRiskChange(ledger)) }
  if (rule === 'cap') {
    const days = await daysInARow(ledger, 'daily', bond.timeZone)
    // The cap of today may be used without a refused turn: then the last refusal was on an earlier day.
    const isOfToday = Date.parse(days.at ?? '') >= Date.parse(bond.windowResetAt ?? '') - DAY_MS
    return { ...row, name: 'daily', ...(isOfToday ? days : { at: null, count: 1 }) }
  }
  if (rule === 'provider_refusal') return { ...row, at: newest?.at ?? null, name: textOf(newest?.data.provider) }
  if (rule !== 'limit') return row
  const name = textOf(newest?.data.limit) ?? textOf(newest?.data.name)
  return { ...row, name, ...(await daysInARow(ledger, name, bond.timeZone)) }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

type Ledger = ReturnType<Purser['user']>['ledger']

async function lastRiskChange(ledger: Ledger): Promise<Pick<AttentionRow, 'at' | 'from' | 'fromMs'>> {
  const [last, before] = await ledger.events({ types: ['risk_change'], limit: 2 })
  if (last === undefined) return { at: null, from: null, fromMs: null }
  const fromMs = before === undefined ? null : Date.parse(last.at) - Date.parse(before.at)
  return { at: last.at, from: textOf(last.data.from), fromMs }
}

/** On how many days of the user in a row a limit was reached, up to its last one. */
async function daysInARow(
  ledger: Ledger,
  limit: string | null,
  timeZone: string,
): Promise<Pick<AttentionRow, 'at' | 'count'>> {
  const events = await ledger.events({ types: ['limit_reached'], limit: REACHED_EVENTS })
  const format = new Intl.DateTimeFormat('en-CA', { timeZone })
  const reached = events.filter(({ data }) => (data.limit ?? data.name) === limit)
  const days = [...new Set(reached.map(({ at }) => Date.parse(format.format(Date.parse(at)))))]
  const last = days.findIndex((day, index) => (days[index + 1] ?? 0) !== day - DAY_MS)
  return { at: reached[0]?.at ?? null, count: Math.max(1, last + 1) }
}
