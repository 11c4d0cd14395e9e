import type { AnswerStats } from '../answers/api.ts'
import type { ImportOptions, ImportReport } from '../answers/legacy-import.ts'
import type { AbortOptions } from '../core/abort.ts'
import type { Instance } from '../instances.ts'
import type { Ledger } from '../ledger/api.ts'
import type { ActiveRuntime } from '../runtime/api.ts'
import type { Overview, Store } from '../storage/store.ts'
import type { User } from '../user.ts'
import type { Vocabulary } from '../vocabulary.ts'

/** Per-user runtime, context, ledger and answers of one application. */
export interface Purser extends AsyncDisposable {
  readonly namespace: string
  /** The models, phases and risk levels that it was opened with. */
  readonly vocabulary: Vocabulary
  /**
   * A handle for one user. Does no I/O and creates nothing.
   *
   * @param id 1 to 256 bytes of well-formed text without control characters, not `.` or `..`
   * @throws {PurserError} `user_id_invalid`
   */
  user(id: string): User
  /** Users by phase, risk, use of the cap, last activity or peak: one page when awaited, all of them when iterated. */
  readonly users: Ledger['users']
  /** The number of users that the filters of `users` leave, as of their last writes. */
  readonly countUsers: Ledger['countUsers']
  /** Live tail of the event log of all instances. */
  readonly events: Ledger['events']
  /** Records of the turns of all users, oldest first. Ends behind the last one. */
  readonly turns: Ledger['turns']
  /**
   * Replays the recorded turns under proposed limits and plans: who would have been refused, when and how often.
   *
   * @throws {PurserError} `argument_invalid` for a limit or a plan that is not valid
   * @example
   * const limits = [{ name: 'tokens', measure: 'tokens', max: 100_000, window: 'day' }]
   * const { refused, complete, users } = await purser.simulate({ limits, since: '2026-11-01T00:00:00Z' })
   */
  readonly simulate: Ledger['simulate']
  /** What all users have used, added up by hour, day, month, user, plan, provider, model or limit. */
  readonly usage: Ledger['usage']
  /** Checks the log and the state of every user; with an external checkpoint also that the store was not rolled back. */
  readonly verify: Ledger['verify']
  /** Signed text that represents all logs as they are now, to be stored elsewhere. */
  readonly checkpoint: Ledger['checkpoint']
  /** Records what was done outside the calls of a user, in the namespace's own log or in that of a user. */
  readonly recordAudit: Ledger['recordAudit']
  /** What operators and callers of the management API have changed, of all users, newest first. */
  readonly audit: Ledger['audit']
  /** Events of all users since an instant, newest first; of the newest 20,000. */
  readonly recentEvents: Ledger['recentEvents']
  /** Number of users by phase and risk, as of their last writes: a block that has ended since still counts. */
  overview(options?: AbortOptions): Promise<Overview>
  /**
   * All open Pursers on the store, this one included, with what they run. One that ended without closing is listed for 15
   * more seconds.
   *
   * @throws {PurserError} `store_unavailable`
   * @example
   * for (const { id, version, seenAt, runtimes } of await purser.instances()) console.log(id, version, seenAt, runtimes)
   */
  instances(options?: AbortOptions): Promise<Instance[]>
  /** Number of users by phase and risk at the end of each day (UTC), and how they went from phase to phase. */
  readonly overviewByDay: Ledger['overviewByDay']
  /**
   * How users went from phase to phase in the last 30 days, or in a period of days (UTC), with the median of the time that
   * they had been in the phase before.
   */
  readonly phaseChanges: Ledger['phaseChanges']
  readonly runtime: {
    /** Live runtimes in this process, without secrets. */
    active(): ActiveRuntime[]
    /** Evicts runtimes that have been idle for longer than `runtime.idleMs`, now. */
    sweep(options?: AbortOptions): Promise<{ evicted: number }>
  }
  readonly answers: {
    stats(): AnswerStats
    /** Writes the answers and the last access times that are still in memory only. */
    flush(options?: AbortOptions): Promise<void>
    /**
     * Removes the answers of all users.
     *
     * @throws {PurserError} `store_unavailable`
     */
    clear(options?: AbortOptions): Promise<void>
    /**
     * Imports the answers of an `ai_responses.json` file for one user, with their dates. An entry that cannot be read
     * costs that entry only. Imported answers are found under `importedRequest(text)`.
     *
     * @param text content of the file
     * @throws {PurserError} `argument_invalid`, `option_unknown`
     */
    import(user: string, text: string, options?: ImportOptions): Promise<ImportReport>
  }
  /** Admissions that were allowed while the store failed (`ledger.onStoreFailure`) and are not recorded yet, in this process. */
  readonly unrecordedAdmissions: number
  /** Kind, traits and location of the store. */
  readonly store: Store['traits']
  /**
   * What the configuration of the store's server risks, such as evicting rows, as sentences for an operator. Empty for
   * memory and SQLite.
   *
   * @throws {PurserError} `store_unavailable`
   */
  storeWarnings(options?: AbortOptions): Promise<readonly string[]>
  /**
   * Writes a complete and consistent copy of the durable data to a new file of mode 0600 while calls go on. The secret
   * key is not included.
   *
   * @param file path of the new file
   * @throws {PurserError} `argument_invalid` if the path exists or the store is not a file
   */
  backup(file: string, options?: AbortOptions): Promise<void>
  /**
   * Stops accepting calls, drains the running ones, flushes, closes all clients; aborts what remains after `timeoutMs`.
   * A turn that nothing reads is cancelled at once.
   *
   * @param options `timeoutMs`: default 10,000 ms; null waits without limit
   */
  close(options?: AbortOptions & { readonly timeoutMs?: number | null | undefined }): Promise<void>
}
