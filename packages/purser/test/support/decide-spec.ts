import assert from 'node:assert/strict'
import { createKeyring } from '../../src/core/keyring.ts'
import type { Fold, NewEvent } from '../../src/journal/event.ts'
import { emptySnapshot, type Snapshot } from '../../src/journal/snapshot.ts'
import { UnitOfWork } from '../../src/journal/unit-of-work.ts'
import { type AdmissionOutcome, admit } from '../../src/ledger/decide/admission.ts'
import { evolve } from '../../src/ledger/evolve.ts'
import type { Amount } from '../../src/ledger/limits/amount.ts'
import { listCounters } from '../../src/ledger/limits/counters.ts'
import type { Usage } from '../../src/ledger/limits/usage.ts'
import type { LedgerRules } from '../../src/ledger/rules.ts'
import { INITIAL_DATA, type LedgerData, type LedgerDecision, type LedgerView } from '../../src/ledger/state.ts'
import type { RecordWrite } from '../../src/storage/commit.ts'

/*
 * Given/When/Then for the pure decisions of the ledger. No store is opened.
 *
 *   given([{ type: 'risk_change', detail: 'risk: low -> high', data: { from: 'low', to: 'high' } }])
 *     .when((view) => correct(rules, { riskLevel: 'low', by }, view))
 *     .then([{ type: 'admin_action', … }])
 *
 * `given` folds events to the state of one user. `after` applies earlier decisions, for what is not in events: usage,
 * measurements and records. `at` sets the wall clock of the steps that follow. `when` runs the decision, twice and on
 * a frozen view, because it must be pure. The `then` methods compare what it decided and can be combined.
 */

/** A decision about a user, or only the events of one. */
export type Decide<Result> = (view: LedgerView) => LedgerDecision<Result> | readonly NewEvent[]

/** A user before the decision under test. Every method returns a new value. */
export interface Given {
  /** @param instant ISO 8601; at first 2026-03-10T12:00:00Z */
  at(instant: string): Given
  after(...decisions: readonly Decide<unknown>[]): Given
  when<Result>(decide: Decide<Result>): Outcome<Result>
}

/** What was decided. A decision that has thrown fails every method but `thenThrows`. */
export interface Outcome<Result> {
  /** The events of the decision, in order, as they are stored. */
  then(events: readonly NewEvent[]): Outcome<Result>
  /** Checks the result: all of it, or what `check` asserts. */
  thenResult(expected: Result | ((result: Result) => void)): Outcome<Result>
  /** What the user has used after the decision, by limit and window. */
  thenUsage(expected: UsedByWindow): Outcome<Result>
  thenThrows(expected: { readonly code: string }): void
}

export type UsedByWindow = Readonly<Record<string, Readonly<Record<string, Amount>>>>

/** What was used of limits with windows that have names. */
export function usedByWindow({ counters }: Usage): UsedByWindow {
  const entries = listCounters(counters).map(({ name, windows = [] }) => [
    name,
    Object.fromEntries(windows.map((window) => [window.name, window.used])),
  ])
  return Object.fromEntries(entries) as UsedByWindow
}

/** The admission of one turn, or of several at once. */
export function admitting(rules: LedgerRules, weight = 1): Decide<AdmissionOutcome> {
  const estimate = { inputTokens: 0, outputTokens: 0 }
  return (view) =>
    admit(rules, { weight, ticketId: 'id', claimed: false, model: null, estimate, leaseMs: 60_000 }, view)
}

type UserSnapshot = Snapshot<LedgerData>

const USER = { namespace: 'default', id: 'ann' }
const keys = createKeyring(Buffer.alloc(32, 7))
const fold: Fold<LedgerData> = {
  initial: INITIAL_DATA,
  evolve,
  facets: () => assert.fail('Nothing is committed.'),
}

export function given(events: readonly NewEvent[]): Given {
  const unknownUser = new UserBefore(emptySnapshot(1, INITIAL_DATA), [], Date.parse('2026-03-10T12:00:00Z'))
  return events.length === 0 ? unknownUser : unknownUser.after(() => events)
}

class UserBefore implements Given {
  readonly #snapshot: UserSnapshot
  readonly #records: readonly RecordWrite[]
  readonly #now: number

  constructor(snapshot: UserSnapshot, records: readonly RecordWrite[], now: number) {
    this.#snapshot = snapshot
    this.#records = records
    this.#now = now
  }

  at(instant: string): UserBefore {
    return new UserBefore(this.#snapshot, this.#records, Date.parse(instant))
  }

  after(...decisions: readonly Decide<unknown>[]): UserBefore {
    return decisions.reduce<UserBefore>((user, decide) => user.#apply(decide), this)
  }

  when<Result>(decide: Decide<Result>): Outcome<Result> {
    const view = deepFreeze(this.#unitOfWork().view())
    try {
      const decision = toDecision(decide(view))
      assert.deepEqual(withoutResult(toDecision(decide(view))), withoutResult(decision), 'The decision is not pure.')
      return new Decided(decision, this.#unitOfWork())
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      return new Failed(error)
    }
  }

  #apply(decide: Decide<unknown>): UserBefore {
    const unit = this.#unitOfWork()
    const decision = toDecision(decide(unit.view()))
    unit.apply(decision)
    const snapshot = unit.isDirty ? unit.toSnapshot((this.#snapshot.revision ?? 0) + 1) : this.#snapshot
    return new UserBefore(snapshot, [...this.#records, ...(decision.records ?? [])], this.#now)
  }

  #unitOfWork(): UnitOfWork<LedgerData> {
    const deps = { tag: () => 'tag', keys, fold, nextId: () => 'id' }
    const unit = new UnitOfWork(deps, { user: USER, base: this.#snapshot, now: this.#now })
    for (const record of this.#records) unit.addLoadedRecord(record, record.value ?? undefined)
    return unit
  }
}

class Decided<Result> implements Outcome<Result> {
  readonly #decision: LedgerDecision<Result>
  readonly #after: LedgerView
  readonly #result: Result

  constructor(decision: LedgerDecision<Result>, unit: UnitOfWork<LedgerData>) {
    this.#decision = decision
    const events = unit.apply(decision)
    this.#after = unit.view()
    this.#result = decision.result({ view: this.#after, events })
  }

  // biome-ignore lint/suspicious/noThenProperty: the customary name; an outcome is never awaited.
  then(events: readonly NewEvent[]): this {
    assert.deepEqual(asStored(this.#decision.events ?? []), asStored(events))
    return this
  }

  thenResult(expected: Result | ((result: Result) => void)): this {
    if (typeof expected === 'function') (expected as (result: Result) => void)(this.#result)
    else assert.deepEqual(this.#result, expected)
    return this
  }

  thenUsage(expected: UsedByWindow): this {
    assert.deepEqual(usedByWindow(this.#after.usage), expected)
    return this
  }

  thenThrows(expected: { readonly code: string }): void {
    assert.fail(`The decision must throw ${expected.code}.`)
  }
}

class Failed<Result> implements Outcome<Result> {
  readonly #error: unknown

  constructor(error: unknown) {
    this.#error = error
  }

  // biome-ignore lint/suspicious/noThenProperty: the customary name; an outcome is never awaited.
  then(): never {
    throw this.#error
  }

  thenResult(): never {
    throw this.#error
  }

  thenUsage(): never {
    throw this.#error
  }

  thenThrows(expected: { readonly code: string }): void {
    assert.throws(() => {
      throw this.#error
    }, expected)
  }
}

function toDecision<Result>(decided: LedgerDecision<Result> | readonly NewEvent[]): LedgerDecision<Result> {
  return 'result' in decided ? decided : { events: decided, result: () => undefined as Result }
}

function withoutResult({ result: _, ...decided }: LedgerDecision<unknown>): Omit<LedgerDecision<unknown>, 'result'> {
  return decided
}

/** Absent and undefined fields are the same in the store. */
function asStored(events: readonly NewEvent[]): unknown {
  return JSON.parse(JSON.stringify(events))
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
