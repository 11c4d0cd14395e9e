import type { InternalUserAnswers, UserAnswers } from './answers/api.ts'
import type { UserResponses } from './answers/stored-responses.ts'
import type { InternalUserContext, UserContext } from './context/api.ts'
import type { ContextModule, UserContextModule } from './context/context.ts'
import type { Actions, Profile } from './context/records.ts'
import { type AbortOptions, untilAborted } from './core/abort.ts'
import type { Subject } from './core/subject.ts'
import { parseActor, parseReason, validateOptions } from './core/validate.ts'
import type { InternalUserLedger, RecordImports, UserLedger } from './ledger/api.ts'
import type { UserTurnsOptions } from './ledger/turns/read-turns.ts'
import type { UsageSum, UserUsageOptions } from './ledger/turns/read-usage.ts'
import type { TurnRecord } from './ledger/turns/turn-record.ts'
import type { ChatRequest } from './openai/chat.ts'
import type { InternalUserRuntime, UserRuntime } from './runtime/api.ts'
import type { EndpointTurn } from './turn/call-endpoint.ts'
import type { CallTrace, TracedCall } from './turn/call-trace.ts'
import type { UserModules } from './turn/deps.ts'
import type { EndpointCall } from './turn/endpoint-call.ts'
import type { TurnOptions } from './turn/options.ts'
import type { Turn } from './turn/take-turn.ts'

/** Everything Purser stores for one user. Getting a handle does no I/O and creates nothing. */
export interface User {
  readonly id: string
  readonly namespace: string
  /** What this user runs on: settings, secrets, sessions, live clients. */
  readonly runtime: UserRuntime
  /** The text about this user that is added to prompts. */
  readonly context: UserContext
  readonly profile: Profile
  readonly actions: Actions
  /** The user's bond, event log and limits. */
  readonly ledger: UserLedger
  /** What was answered before. */
  readonly answers: UserAnswers
  /**
   * Runs one chat request: admission, runtime and context, then the answer.
   *
   * @param request an OpenAI chat completions request; unknown fields pass through
   * @returns a turn with `allowed: true` once its answer begins, or a refusal with `allowed: false`, which costs nothing
   * @throws {PurserError} `request_invalid`; settings errors such as `model_not_found` and `secret_missing`; upstream
   *   errors such as `upstream_failed` before the first chunk. Then nothing is counted.
   * @example
   * const turn = await purser.user('ada').turn({ messages: [{ role: 'user', content: 'Hello' }] })
   * if (turn.allowed) for await (const chunk of turn.chunks) print(chunk)
   */
  turn(request: ChatRequest, options?: TurnOptions): Promise<Turn>
  /**
   * The records of the user's turns, newest first: what they ran on, used and cost, and why they were refused or failed.
   * They have nothing of what was said.
   *
   * @throws {PurserError} `argument_invalid`, `store_unavailable`
   */
  turns(options?: UserTurnsOptions): Promise<TurnRecord[]>
  /**
   * What the user has used, added up by hour, day, month, model or limit. Kept for 400 days.
   *
   * @throws {PurserError} `argument_invalid`, `store_unavailable`
   * @example
   * const [today] = (await purser.user('ada').usage({ by: 'day' })).slice(-1)
   */
  usage(options?: UserUsageOptions): Promise<UsageSum[]>
  /**
   * All data of the user, one row at a time: first a header, last the counts. Secrets are listed without their values.
   *
   * @throws {PurserError} `store_unavailable`
   */
  export(options?: AbortOptions): AsyncIterable<ExportRow>
  /**
   * Removes everything about the user: when it resolves, no process can reach it, and calls in progress are dropped. The
   * namespace's log keeps one event with a pseudonym. A later call for the same id starts a new incarnation.
   *
   * @throws {PurserError} `argument_invalid` without actor or reason, `store_unavailable`
   */
  erase(options: EraseOptions): Promise<EraseReceipt>
}

/** An erasure cannot be undone, so the actor and the reason are required. */
export interface EraseOptions extends AbortOptions {
  readonly actor: string
  readonly reason: string
}

/** What the handles of all users share. */
export interface UserDeps {
  readonly ledger: { of(user: Subject): InternalUserLedger }
  readonly runtimes: { of(user: Subject): InternalUserRuntime }
  readonly context: Pick<ContextModule, 'of' | 'exportRows'>
  readonly answers: { of(user: Subject): InternalUserAnswers }
  readonly responses: { of(user: Subject): UserResponses }
  turn(modules: UserModules, request: unknown, options: TurnOptions | undefined): Promise<Turn>
  traceCall(modules: UserModules, call: TracedCall): CallTrace
  callEndpoint(modules: UserModules, call: EndpointCall, options: TurnOptions | undefined): Promise<EndpointTurn>
  askEndpoint(modules: UserModules, call: EndpointCall, options: TurnOptions | undefined): Promise<string | undefined>
  erase(user: Subject, options: EraseOptions): Promise<EraseReceipt>
  /** The current instant, ISO 8601. */
  now(): string
}

/** The modules of one user, made on first use: most handles are used for one or two, and ten thousand are cached. */
class LazyUserModules implements UserModules {
  readonly user: Subject
  readonly #deps: UserDeps
  #ledger: InternalUserLedger | undefined
  #runtime: InternalUserRuntime | undefined
  #contextModule: UserContextModule | undefined
  #answers: InternalUserAnswers | undefined

  constructor(user: Subject, deps: UserDeps) {
    this.user = user
    this.#deps = deps
  }

  get ledger(): InternalUserLedger {
    this.#ledger ??= this.#deps.ledger.of(this.user)
    return this.#ledger
  }

  get runtime(): InternalUserRuntime {
    this.#runtime ??= this.#deps.runtimes.of(this.user)
    return this.#runtime
  }

  get contextModule(): UserContextModule {
    this.#contextModule ??= this.#deps.context.of(this.user)
    return this.#contextModule
  }

  get context(): InternalUserContext {
    return this.contextModule.context
  }

  get answers(): InternalUserAnswers {
    this.#answers ??= this.#deps.answers.of(this.user)
    return this.#answers
  }

  get responses(): UserResponses {
    return this.#deps.responses.of(this.user)
  }
}

type EndpointFunction<Result> = (call: EndpointCall, options?: TurnOptions) => Promise<Result>
type CallEndpoint = EndpointFunction<EndpointTurn>
type AskEndpoint = EndpointFunction<string | undefined>

/** Runs one request of a user to another endpoint than chat completions. For `@purser/server`. */
export function callUserEndpoint(user: User, ...args: Parameters<CallEndpoint>): Promise<EndpointTurn> {
  return (user as UserHandle).callEndpoint(...args)
}

/** The kept responses of a user. For `@purser/server`. */
export function responsesOf(user: User): UserResponses {
  return (user as UserHandle).responses
}

/** Imports records of turns and sums of usage of a user. For `@purser/server`. */
export function recordImportsOf(user: User): RecordImports {
  return (user as UserHandle).recordImports
}

/** Asks the provider of a user's model something that is no turn and counts nothing. For `@purser/server`. */
export function askUserEndpoint(user: User, ...args: Parameters<AskEndpoint>): ReturnType<AskEndpoint> {
  return (user as UserHandle).askEndpoint(...args)
}

export class UserHandle implements User {
  // Functions rather than methods, so that they can be destructured.
  readonly turn: User['turn']
  readonly turns: User['turns']
  readonly usage: User['usage']
  readonly export: User['export']
  readonly erase: User['erase']
  /** No member of `User`: formats of other endpoints than chat completions are known to the gateway only. */
  readonly callEndpoint: CallEndpoint
  readonly askEndpoint: AskEndpoint
  /** For `purser/ai-sdk`. */
  readonly traceCall: (call: TracedCall) => CallTrace
  readonly #modules: LazyUserModules

  constructor(user: Subject, deps: UserDeps) {
    const modules = new LazyUserModules(user, deps)
    this.#modules = modules
    this.turn = (request, options) => deps.turn(modules, request, options)
    this.traceCall = (call) => deps.traceCall(modules, call)
    this.askEndpoint = (call, options) => deps.askEndpoint(modules, call, options)
    this.callEndpoint = (call, options) => deps.callEndpoint(modules, call, options)
    this.turns = (options) => modules.ledger.turns(options)
    this.usage = (options) => modules.ledger.usage(options)
    this.export = (options = {}) => {
      const { runtime, ledger, answers } = modules
      const context = deps.context.exportRows(user)
      const responses = modules.responses.exportRows()
      const parts = [exportRuntime(runtime), context, ledger.exportRows(), answers.exportRows(), responses]
      return exportUser(user, parts, { at: deps.now(), options })
    }
    this.erase = (options) => deps.erase(user, options)
  }

  get id(): string {
    return this.#modules.user.id
  }

  get namespace(): string {
    return this.#modules.user.namespace
  }

  get ledger(): UserLedger {
    return this.#modules.ledger.api
  }

  get runtime(): UserRuntime {
    return this.#modules.runtime
  }

  get context(): UserContext {
    return this.#modules.context
  }

  get profile(): Profile {
    return this.#modules.contextModule.profile
  }

  get actions(): Actions {
    return this.#modules.contextModule.actions
  }

  get answers(): UserAnswers {
    return this.#modules.answers
  }

  /** No member of `User`, like `callEndpoint`. */
  get responses(): UserResponses {
    return this.#modules.responses
  }

  /** No member of `User`: for `purser import`. */
  get recordImports(): RecordImports {
    return this.#modules.ledger.imports
  }
}

export interface ExportRow {
  readonly part: 'header' | 'runtime' | 'context' | 'ledger' | 'answers' | 'end'
  readonly type: string
  /** ISO 8601, UTC. */
  readonly at?: string
  readonly value: unknown
  /** On the last row, `end`: the number of rows of each type, equal to its value. */
  readonly counts?: Readonly<Record<string, number>>
}

/** The rows of all modules between a header and the counts. `at` is the instant of the export. */
async function* exportUser(
  user: Subject,
  modules: Iterable<AsyncIterable<ExportRow>>,
  { at, options }: { readonly at: string; readonly options: AbortOptions },
): AsyncIterable<ExportRow> {
  validateOptions('export', options, [])
  const counts: Record<string, number> = {}
  yield { part: 'header', type: 'export', at, value: { format: 1, namespace: user.namespace, user: user.id } }
  for (const rows of modules) {
    for await (const row of untilAborted(rows, options.signal)) {
      counts[row.type] = (counts[row.type] ?? 0) + 1
      yield row
    }
  }
  yield { part: 'end', type: 'counts', at, value: counts, counts }
}

/** What the user runs on, as they may see it: secrets by name only. */
async function* exportRuntime(runtime: UserRuntime): AsyncIterable<ExportRow> {
  yield { part: 'runtime', type: 'settings', value: await runtime.settings() }
  for (const { updatedAt, ...secret } of await runtime.secrets()) {
    yield { part: 'runtime', type: 'secret', at: updatedAt, value: secret }
  }
  for (const authorization of await runtime.mcpAuthorizations()) {
    yield { part: 'runtime', type: 'mcp_authorization', at: authorization.authorizedAt, value: authorization }
  }
  for (const session of await runtime.sessions()) {
    yield { part: 'runtime', type: 'session', at: session.createdAt, value: session }
  }
}

export interface EraseReceipt {
  /** Number of erased items of each kind. */
  readonly erased: Readonly<Record<keyof typeof ERASED_KINDS, number>>
  /** True: no byte of the user's data is left in the files of the store. */
  readonly purged: boolean
}

/** The kinds of a receipt, and the kinds of rows, or of parts of the user's row, that they count. */
const ERASED_KINDS = {
  runtime: 'settings',
  secrets: 'secret',
  sessions: 'session',
  profile: 'profile',
  actions: 'action',
  bond: 'user',
  events: 'events',
  notes: 'note',
  answers: 'answers',
  responses: 'response',
  turns: 'turns',
  usage: 'usage',
  limits: 'limit',
} as const

export function eraseReceipt(rowCounts: Readonly<Record<string, number>>, purged: boolean): EraseReceipt {
  const erased = Object.entries(ERASED_KINDS).map(([kind, rowKind]) => [kind, rowCounts[rowKind] ?? 0])
  return { erased: Object.fromEntries(erased) as EraseReceipt['erased'], purged }
}

export function validateErase(options: EraseOptions): void {
  validateOptions('erase', options, ['actor', 'reason'])
  parseActor(options.actor)
  parseReason(options.reason)
}
