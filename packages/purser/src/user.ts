import type { UserAnswers } from './answers/user-answers.ts'
import type { UserContext } from './context/api.ts'
import type { UserContexts } from './context/context.ts'
import type { Actions, Profile } from './context/records.ts'
import { type AbortOptions, untilAborted } from './core/abort.ts'
import type { Subject } from './core/subject.ts'
import { parseActor, parseReason, validateOptions } from './core/validate.ts'
import type { UserLedger } from './ledger/api.ts'
import type { UserRuntime } from './runtime/api.ts'
import type { TurnOptions, UserModules } from './turn/options.ts'
import type { Turn } from './turn/take-turn.ts'

/** Everything Purser keeps for one person, and what can be done for them. Making one does no I/O. */
export interface User {
  readonly id: string
  readonly namespace: string
  /** What this user runs on. */
  readonly runtime: UserRuntime
  /** What the model is told about them. */
  readonly context: UserContext
  readonly profile: Profile
  readonly actions: Actions
  /** Who they are to us, and whether they may act now. */
  readonly ledger: UserLedger
  /** What was answered to them before. */
  readonly answers: UserAnswers
  /**
   * Takes one chat request, in the OpenAI format, through all four. Rejects with `request_invalid`, settings errors
   * such as `model_not_found` and `secret_missing`, and upstream errors such as `upstream_failed`; then nothing
   * is counted. A refusal is a value with `allowed: false`.
   */
  turn(request: unknown, options?: TurnOptions): Promise<Turn>
  /** All of it, a row at a time: first a header, last the counts. Secrets are named, never shown. */
  export(options?: AbortOptions): AsyncIterable<ExportRow>
  /**
   * Ends this life of the user: everything is out of reach when it resolves, in every process, and whatever is still
   * in flight is dropped. The namespace's log keeps one event with a pseudonym.
   */
  erase(order: AbortOptions & { readonly actor: string; readonly reason: string }): Promise<EraseReceipt>
}

/**
 * The handle of one user. Its parts are made when they are first asked for: most who hold a handle want one or two, and
 * ten thousand are kept.
 */
export class UserHandle implements User, UserModules {
  readonly user: Subject
  readonly turn: User['turn']
  readonly export: User['export']
  readonly erase: User['erase']
  readonly #makers: UserDeps
  #ledger: UserLedger | undefined
  #runtime: UserRuntime | undefined
  #contexts: UserContexts | undefined
  #answers: UserAnswers | undefined

  constructor(user: Subject, makers: UserDeps) {
    this.user = user
    this.#makers = makers
    this.turn = (request, options) => makers.turn(this, request, options)
    this.export = (options) => exportUser(this, this.#exports(), { at: makers.now(), options })
    this.erase = (order) => makers.erase(user, order)
  }

  get id(): string {
    return this.user.id
  }

  get namespace(): string {
    return this.user.namespace
  }

  get ledger(): UserLedger {
    this.#ledger ??= this.#makers.ledger.of(this.user)
    return this.#ledger
  }

  get runtime(): UserRuntime {
    this.#runtime ??= this.#makers.runtimes.of(this.user)
    return this.#runtime
  }

  get context(): UserContext {
    return this.#contextsOf().context
  }

  get profile(): Profile {
    return this.#contextsOf().profile
  }

  get actions(): Actions {
    return this.#contextsOf().actions
  }

  get answers(): UserAnswers {
    this.#answers ??= this.#makers.answers.of(this.user)
    return this.#answers
  }

  #contextsOf(): UserContexts {
    this.#contexts ??= this.#makers.contexts.of(this.user)
    return this.#contexts
  }

  #exports(): AsyncIterable<ExportRow>[] {
    return [
      exportRuntime(this.runtime),
      this.#contextsOf().exportRows(),
      this.ledger.exportRows(),
      this.answers.exportRows(),
    ]
  }
}

/** What the handles of all users share. */
export interface UserDeps {
  readonly ledger: { of(user: Subject): UserLedger }
  readonly runtimes: { of(user: Subject): UserRuntime }
  readonly contexts: { of(user: Subject): UserContexts }
  readonly answers: { of(user: Subject): UserAnswers }
  turn(parts: UserModules, request: unknown, options: TurnOptions | undefined): Promise<Turn>
  erase(user: Subject, order: Parameters<User['erase']>[0]): Promise<EraseReceipt>
  /** The instant, ISO 8601. */
  now(): string
}

export interface ExportRow {
  readonly part: 'header' | 'runtime' | 'context' | 'ledger' | 'answers' | 'end'
  readonly type: string
  /** ISO 8601, UTC. */
  readonly at?: string
  readonly value: unknown
  /** Of the last row, `end`: how many rows of each type there are; the same as its value. */
  readonly counts?: Readonly<Record<string, number>>
}

export interface EraseReceipt {
  /** How many of each there were. */
  readonly erased: Readonly<Record<ErasedPart, number>>
  /** True when no byte of the person's data is left in the store's files. */
  readonly purged: boolean
}

export type ErasedPart = keyof typeof ERASED_FROM

/** What the receipt counts, and the kind of row each is stored as. */
const ERASED_FROM = {
  runtime: 'settings',
  secrets: 'secret',
  sessions: 'session',
  profile: 'profile',
  actions: 'action',
  bond: 'user',
  events: 'events',
  notes: 'note',
  answers: 'answers',
} as const

export function eraseReceipt(counts: Readonly<Record<string, number>>, purged: boolean): EraseReceipt {
  const erased = Object.entries(ERASED_FROM).map(([part, kind]) => [part, counts[kind] ?? 0])
  return { erased: Object.fromEntries(erased) as EraseReceipt['erased'], purged }
}

/** An erasure cannot be taken back, so it says who wanted it and why. */
export function checkErasure(order: AbortOptions & { readonly actor: string; readonly reason: string }): void {
  validateOptions('erase', order, ['actor', 'reason'])
  parseActor(order.actor)
  parseReason(order.reason)
}

/** The rows of all parts, between a header and the counts. `at` is the instant of the export. */
export async function* exportUser(
  user: Pick<User, 'id' | 'namespace'>,
  parts: Iterable<AsyncIterable<ExportRow>>,
  { at, options = {} }: { readonly at: string; readonly options: AbortOptions | undefined },
): AsyncIterable<ExportRow> {
  validateOptions('export', options, [])
  const counts: Record<string, number> = {}
  yield { part: 'header', type: 'export', at, value: { format: 1, namespace: user.namespace, user: user.id } }
  for (const rows of parts) {
    for await (const row of untilAborted(rows, options.signal)) {
      counts[row.type] = (counts[row.type] ?? 0) + 1
      yield row
    }
  }
  yield { part: 'end', type: 'counts', at, value: counts, counts }
}

/** What a user runs on, as they may see it: secrets are named only. */
export async function* exportRuntime(runtime: UserRuntime): AsyncIterable<ExportRow> {
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
