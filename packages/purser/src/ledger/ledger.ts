import { withAbort, withSignal } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import type { Subject } from '../core/subject.ts'
import { parseActor, validateOptions } from '../core/validate.ts'
import { purserClosed } from '../errors.ts'
import type { Journal } from '../journal/api.ts'
import type { Store } from '../storage/store.ts'
import { createAdmissions } from './admissions.ts'
import type { InternalUserLedger, Ledger, UserLedger, Verification } from './api.ts'
import { readAudit } from './audit-log.ts'
import { createCheckpoint, verifyWithCheckpoint } from './checkpoint.ts'
import type { LedgerDeps } from './deps.ts'
import { importUse } from './import-use.ts'
import { LeaseRenewals } from './lease-renewals.ts'
import { countUsers, listUsers } from './list-users.ts'
import { createModeration } from './moderation.ts'
import { createNotes } from './notes.ts'
import { createObservations } from './observations.ts'
import { ProviderRefusals } from './provider-refusals.ts'
import { createQueries } from './queries.ts'
import { readRecentEvents } from './recent-events.ts'
import { recordAudit } from './record-audit.ts'
import { createRetentionSweeper } from './retention.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerData } from './state.ts'
import { tailEvents, validateTailOptions } from './tail.ts'
import { importTurns, importUsage } from './turns/import-records.ts'
import { readDays, readPhaseChanges } from './turns/read-days.ts'
import { readTurns, readUserTurns } from './turns/read-turns.ts'
import { readUsage, readUserUsage } from './turns/read-usage.ts'
import { simulate } from './turns/simulate.ts'
import { createTurnSweeper } from './turns/sweep-turns.ts'
import { UnrecordedAdmissions } from './unrecorded-admissions.ts'
import { createLimits } from './user-limits.ts'
import { verifyAll } from './verify.ts'

export interface CreateLedgerDeps {
  /** Opened with `ledgerFold` of the same rules. */
  readonly journal: Journal<LedgerData>
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly calls: PendingCalls
  readonly rules: LedgerRules
  readonly namespace: string
}

export function createLedger({ namespace, ...shared }: CreateLedgerDeps): Ledger {
  const { store, keys, effects, calls, rules } = shared
  const sweeper = createRetentionSweeper(shared)
  const unrecorded = new UnrecordedAdmissions(shared)
  const renewals = new LeaseRenewals(effects, rules.hold.leaseMs)
  const deps: LedgerDeps = { ...shared, sweeper, unrecorded, renewals }
  const refusals = new ProviderRefusals(deps)
  const turnSweeper = createTurnSweeper(deps, namespace)
  const closing = new AbortController()

  return {
    of: (user) => createUserLedger(deps, refusals, user),

    users: (query) => listUsers({ store, calls, namespace, rules, now: effects.now }, query),

    countUsers: (query) => calls.run(() => countUsers({ store, calls, namespace, rules, now: effects.now }, query)),

    events(tailOptions = {}) {
      if (closing.signal.aborted) throw purserClosed()
      validateTailOptions(namespace, tailOptions)
      return tailEvents({ store, namespace, closing: closing.signal }, tailOptions)
    },

    async verify(verifyOptions = {}) {
      validateOptions('verify', verifyOptions, ['checkpoint'])
      const { checkpoint, signal } = verifyOptions
      const all = (): Promise<Verification> => verifyAll({ store, keys, now: effects.now }, namespace, signal)
      return withSignal(
        calls.run(() => verifyWithCheckpoint({ store, keys, namespace }, checkpoint, all)),
        signal,
      )
    },

    async checkpoint(checkpointOptions = {}) {
      validateOptions('checkpoint', checkpointOptions, ['actor'])
      const { actor = 'purser', signal } = checkpointOptions
      const by = parseActor(actor)
      return withSignal(
        calls.run(() => createCheckpoint(deps, namespace, by)),
        signal,
      )
    },

    recordAudit: (action, auditOptions) => recordAudit(deps, namespace, action, auditOptions),

    async audit(auditOptions = {}) {
      const { signal } = auditOptions
      return withSignal(
        calls.run(() => readAudit({ store, namespace }, auditOptions)),
        signal,
      )
    },

    get unrecorded() {
      return unrecorded.count
    },

    async recentEvents(recentOptions) {
      return withSignal(
        calls.run(() => readRecentEvents({ store, namespace }, recentOptions)),
        recentOptions?.signal,
      )
    },

    overview: (abortOptions) =>
      withAbort('overview', abortOptions, () => calls.run(() => store.users.overview(namespace))),

    ...createTurnCalls(deps, namespace),

    async close() {
      closing.abort()
      renewals.close()
      await unrecorded.close()
      await turnSweeper.close()
      await sweeper.idle()
    },
  }
}

/** What is read from records of turns and from sums. */
function createTurnCalls(
  deps: LedgerDeps,
  namespace: string,
): Pick<Ledger, 'overviewByDay' | 'phaseChanges' | 'turns' | 'usage' | 'simulate'> {
  return {
    overviewByDay: (options) => readDays(deps, namespace, options),
    phaseChanges: (options) => readPhaseChanges(deps, namespace, options),
    turns: (options) => readTurns(deps, namespace, options),
    usage: (options) => readUsage(deps, namespace, options),
    simulate: (options) => simulate(deps, namespace, options),
  }
}

function createUserLedger(deps: LedgerDeps, refusals: ProviderRefusals, user: Subject): InternalUserLedger {
  const { admitTurn, estimate, recordTurn, ...admissions } = createAdmissions(deps, user)
  const { exportRows, ...queries } = createQueries(deps, user)
  const api: UserLedger = {
    ...admissions,
    ...createObservations(deps, user),
    ...createModeration(deps, user),
    ...createLimits(deps, user),
    ...createNotes(deps, user),
    ...queries,
  }
  return {
    api,
    turns: (options) => readUserTurns(deps, user, options),
    usage: (options) => readUserUsage(deps, user, options),
    admitTurn,
    estimate,
    recordTurn,
    exportRows,
    imports: {
      turns: (rows) => importTurns(deps, user, rows),
      usage: (rows) => importUsage(deps, user, rows),
      use: (rows) => importUse(deps, user, rows),
    },
    recordRefusal: (refusal) => refusals.record(user, refusal),
  }
}
