import { type AbortOptions, withSignal } from '../../core/abort.ts'
import { readPage } from '../../core/long-read.ts'
import { createSubject } from '../../core/subject.ts'
import { parseInstant, throwInvalid, validateOptions } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import { decodeRow } from '../../journal/snapshot.ts'
import type { Limit, PlanConfig } from '../../options.ts'
import type { UserRow } from '../../storage/commit.ts'
import type { StoredTurn } from '../../storage/turn-store.ts'
import { codecOf } from '../bond.ts'
import { formatInstant } from '../calendar.ts'
import type { LedgerDeps } from '../deps.ts'
import type { LimitContext } from '../limits/admission.ts'
import { createLimitPolicy, type LimitPolicy } from '../limits/policy.ts'
import { limitContextOf } from '../quota.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerState } from '../state.ts'
import { oldestId } from './read-turns.ts'
import { Replay } from './replay.ts'
import { decodeReplayed, type ReplayedTurn } from './stored-turn.ts'

export interface SimulateOptions extends AbortOptions {
  /** Instead of the configured limits (`ledger.limits`). */
  readonly limits?: readonly Limit[] | undefined
  /** Instead of the configured plans. */
  readonly plans?: Readonly<Record<string, PlanConfig>> | undefined
  /** Only turns from this instant on are counted, ISO 8601. Earlier ones are replayed, because they fill windows. */
  readonly since?: string | undefined
  /** Only these users; at most 10,000. Default: all. */
  readonly users?: readonly string[] | undefined
}

/** What proposed rules would have done. */
export interface Simulation {
  /** Turns, and steps of turns, that were replayed: those that were admitted in earnest. */
  readonly turns: number
  readonly refused: number
  /** Whether the records reach back far enough to fill every window. */
  readonly complete: boolean
  /** Users with refusals, those with most of them first; at most 10,000. */
  readonly users: readonly SimulatedUser[]
}

export interface SimulatedUser {
  readonly user: string
  readonly refused: number
  /** When the first refused turn began, ISO 8601. */
  readonly firstAt: string
  /** The limit that refuses it. */
  readonly limit: string
}

type SimulateDeps = Pick<LedgerDeps, 'store' | 'calls' | 'journal' | 'effects' | 'rules'>

const MAX_USERS = 10_000
const PAGE_TURNS = 500
const PAGE_USERS = 500

/**
 * Replays the recorded turns under proposed rules, one user after the other and page by page. What operators and users
 * have set for one user applies as it does now. Nothing is written.
 */
export async function simulate(
  deps: SimulateDeps,
  namespace: string,
  options: SimulateOptions = {},
): Promise<Simulation> {
  validateOptions('simulate', options, ['limits', 'plans', 'since', 'users'])
  const { signal } = options
  const rules: LedgerRules = { ...deps.rules, policy: compileProposal(deps.rules, options) }
  const since = options.since === undefined ? 0 : parseInstant(options.since, { name: 'since' })
  const run = deps.calls.run(async () => {
    await deps.journal.flushAll()
    const result = new SimulationResult()
    for await (const { id, row } of usersOf(deps, namespace, options.users)) {
      signal?.throwIfAborted()
      const state = stateOf(rules, row)
      if (state === undefined) result.isComplete = false
      else await replayUser(deps, { rules, state, since, user: createSubject(namespace, id), signal }, result)
    }
    return result.toSimulation()
  })
  return withSignal(run, signal)
}

/** Errors of a proposal are those of arguments. */
function compileProposal({ configured }: LedgerRules, { limits, plans }: SimulateOptions): LimitPolicy {
  try {
    return createLimitPolicy({
      ...configured,
      limits: limits ?? configured.limits,
      plans: plans ?? configured.plans,
      // The default plan may not be among those that are proposed.
      plan: plans === undefined || Object.hasOwn(plans, configured.plan ?? '') ? configured.plan : undefined,
    })
  } catch (error) {
    if (!PurserError.is(error, 'option_invalid') && !PurserError.is(error, 'option_unknown')) throw error
    const { hint, details } = error
    throw new PurserError('argument_invalid', error.message.replaceAll('ledger.limits', 'limits'), { hint, details })
  }
}

interface StoredUser {
  readonly id: string
  readonly row: UserRow
}

async function* usersOf(
  { store, effects }: SimulateDeps,
  namespace: string,
  ids: readonly string[] | undefined,
): AsyncGenerator<StoredUser, void, undefined> {
  if (ids === undefined) {
    for (let after: { readonly value: string; readonly id: string } | undefined; ; ) {
      const query = {
        namespace,
        now: effects.now(),
        orderBy: 'id',
        order: 'ascending',
        limit: PAGE_USERS,
        after,
      } as const
      const page = await readPage(() => store.users.list(query))
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE_USERS) return
      after = { value: last.id, id: last.id }
    }
  }
  if (!Array.isArray(ids) || ids.length > MAX_USERS)
    throwInvalid(`'users' must be a list of at most ${MAX_USERS} ids.`, { name: 'users' })
  for (const id of new Set(ids)) {
    const row = await store.users.load(createSubject(namespace, id))
    if (row !== undefined) yield { id, row }
  }
}

/** Undefined for a row that cannot be read. */
function stateOf(rules: LedgerRules, row: UserRow): LedgerState | undefined {
  try {
    return decodeRow(row, codecOf(rules)).state
  } catch {
    return undefined
  }
}

interface ReplayedUser extends AbortOptions {
  readonly rules: LedgerRules
  readonly state: LedgerState
  readonly since: number
  readonly user: ReturnType<typeof createSubject>
}

async function replayUser(
  deps: SimulateDeps,
  { rules, state, since, user, signal }: ReplayedUser,
  result: SimulationResult,
): Promise<void> {
  const { now: _, ...context } = limitContextOf(rules, { state, now: 0 })
  const replay = new Replay(context, rules.hold)
  let oldest: ReplayedTurn | undefined
  let firstAt: number | undefined
  let lowestNumber = Number.POSITIVE_INFINITY
  for await (const turn of turnsOf(deps, user, signal)) {
    oldest ??= turn
    lowestNumber = Math.min(lowestNumber, turn.number)
    if (turn.isRefused || turn.admission === 'none') continue
    const refusal = replay.admit(turn)
    if (turn.at < since) continue
    firstAt ??= turn.at
    result.turns++
    if (refusal !== undefined) result.addRefusal(user.id, turn.at, refusal.limit)
  }
  // Without the first record of all, what filled the windows of the first turn may be missing.
  if (oldest !== undefined && firstAt !== undefined && lowestNumber > 1) {
    if (firstAt - longestWindow(context, firstAt) < oldest.at) result.isComplete = false
  }
  result.endUser()
}

/** In the order of admissions: that of the ids may differ by the time that a turn took to be admitted. */
async function* turnsOf(
  deps: SimulateDeps,
  user: ReturnType<typeof createSubject>,
  signal: AbortOptions['signal'],
): AsyncGenerator<ReplayedTurn, void, undefined> {
  const from = oldestId(deps)
  let waiting: ReplayedTurn[] = []
  for (let after: string | undefined; ; ) {
    signal?.throwIfAborted()
    const page: readonly StoredTurn[] = await readPage(() =>
      deps.store.turns.ofUser(user, { order: 'ascending', limit: PAGE_TURNS, after, from }),
    )
    waiting.push(...page.map(decodeReplayed))
    waiting.sort((one, other) => one.at - other.at)
    const isLast = page.length < PAGE_TURNS
    const ready = isLast ? waiting.length : waiting.length - PAGE_TURNS
    yield* waiting.slice(0, ready)
    waiting = waiting.slice(Math.max(0, ready))
    if (isLast) return
    after = page.at(-1)?.id
  }
}

const DAY_MS = 86_400_000
/** Longer than each of them can be, also when the zone changes. */
const CALENDAR_MS: Readonly<Record<string, number>> = {
  day: 2 * DAY_MS,
  rolling24h: DAY_MS,
  week: 8 * DAY_MS,
  month: 32 * DAY_MS,
  total: Number.POSITIVE_INFINITY,
}
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: DAY_MS }

/** The longest time before an instant in which a turn may count at it. */
function longestWindow({ policy, limits }: Pick<LimitContext, 'policy' | 'limits'>, at: number): number {
  let longest = 0
  for (const { max, mode, windowText } of policy.rulesOf(limits, at)) {
    if (max === null || mode === 'observe' || windowText === null) continue
    const [, length, unit = ''] = /^(?:sliding:)?(\d+)([mhd])$/.exec(windowText) ?? []
    longest = Math.max(longest, CALENDAR_MS[windowText] ?? Number(length) * (UNIT_MS[unit] ?? 0))
  }
  return longest
}

/** Adds up, without more users in memory than twice the limit. */
class SimulationResult {
  turns = 0
  refused = 0
  isComplete = true
  #users: SimulatedUser[] = []
  #current: SimulatedUser | undefined

  addRefusal(user: string, at: number, limit: string): void {
    this.refused++
    const { refused = 0, firstAt = formatInstant(at), limit: first = limit } = this.#current ?? {}
    this.#current = { user, refused: refused + 1, firstAt, limit: first }
  }

  endUser(): void {
    if (this.#current === undefined) return
    this.#users.push(this.#current)
    this.#current = undefined
    if (this.#users.length > 2 * MAX_USERS) this.#users = this.#most()
  }

  toSimulation(): Simulation {
    const { turns, refused, isComplete } = this
    return { turns, refused, complete: isComplete, users: this.#most() }
  }

  #most(): SimulatedUser[] {
    return this.#users
      .sort((one, other) => other.refused - one.refused || (one.user < other.user ? -1 : 1))
      .slice(0, MAX_USERS)
  }
}
