/** A deliberate bug, and the tests that must notice it. */
export interface Mutant {
  readonly name: string
  /** Below `src`. */
  readonly file: string
  /** Matches the file exactly once. */
  readonly find: string
  readonly replace: string
  /** Below `test`; at least one of them must fail. */
  readonly tests: readonly string[]
  /** Also run by `npm test`; the others only by `npm run test:full`. */
  readonly always?: boolean
}

const ADMISSION = ['ledger/decide/admission.test.ts']
const IDEMPOTENCY = ['ledger/admission.test.ts']
const OBSERVATION = ['ledger/decide/observation.test.ts']
const TIME_ZONE = ['ledger/decide/time-zone.test.ts']
const MODEL = ['ledger/model.test.ts']
const DEFERRED = ['journal/deferred-writes.test.ts']
const TAMPERING = ['ledger/tampering.test.ts']
const INTERLEAVINGS = ['ledger/interleavings.test.ts']

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the cap allows one admission too many',
    file: 'ledger/limits/admission.ts',
    find: 'needed), max) <= 0) return undefined',
    replace: 'needed), add(max, 1)) <= 0) return undefined',
    tests: ADMISSION,
    always: true,
  },
  {
    name: 'a refund is counted in the running window',
    file: 'ledger/limits/admission.ts',
    find: 'instant: ticket.at, amount: ticket.weight',
    replace: 'instant: draft.clock.at, amount: ticket.weight',
    tests: ADMISSION,
  },
  {
    name: 'a ticket can be refunded twice',
    file: 'ledger/decide/admission.ts',
    find: "if (use === 'settled' || use === 'refunded') return {",
    replace: "if (use === 'settled') return {",
    tests: ADMISSION,
  },
  {
    name: 'the repeat of a turn closes another ticket than the first attempt',
    file: 'ledger/admission-outcome.ts',
    find: '    ticket: tickets.decode(ticket),\n    quota:',
    replace: "    ticket: { ...tickets.decode(ticket), id: 'other' },\n    quota:",
    tests: IDEMPOTENCY,
  },
  {
    name: 'a write that keeps losing conflicts never takes the write lock',
    file: 'journal/commit-loop.ts',
    find: 'made < limits.attemptsBeforeLock ? undefined : await store.users.lockWrites?.(users)',
    replace: 'undefined as Awaited<ReturnType<NonNullable<UserStore["lockWrites"]>>> | undefined',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'refusals are stored under their idempotency key',
    file: 'ledger/decide/admission.ts',
    find: 'return { remember: false, ...changes, result: () => refused }',
    replace: 'return { ...changes, result: () => refused }',
    tests: IDEMPOTENCY,
  },
  {
    name: 'a block never ends by itself',
    file: 'ledger/state.ts',
    find: 'Date.parse(blocked.until) <= now',
    replace: 'Date.parse(blocked.until) <= 0',
    tests: ADMISSION,
  },
  {
    name: 'a clock that is set back reopens a window',
    file: 'ledger/limits/stored-windows.ts',
    find: "(windows[index]?.name ?? '') >= period)",
    replace: 'windows[index]?.name === period)',
    tests: ADMISSION,
  },
  {
    name: 'a zone change takes effect at once',
    file: 'ledger/limits/periods.ts',
    find: 'previous, effectiveAt, firstDate: nextDate(date) }',
    replace: 'previous, effectiveAt: null, firstDate: nextDate(date) }',
    tests: TIME_ZONE,
  },
  {
    name: 'a zone change uses a date twice',
    file: 'ledger/limits/periods.ts',
    find: 'previous, effectiveAt, firstDate: nextDate(date) }',
    replace: 'previous, effectiveAt, firstDate: null }',
    tests: TIME_ZONE,
  },
  {
    name: 'a clock set back over midnight returns to the previous date',
    file: 'ledger/calendar.ts',
    find: 'if (day.end <= now)',
    replace: 'if (day.end < 0)',
    tests: ['ledger/calendar.test.ts'],
  },
  {
    name: 'a rolling bucket expires a minute early',
    file: 'ledger/limits/sliding-window.ts',
    find: '(at - this.#partMs - this.#lengthMs)',
    replace: '(at - this.#lengthMs)',
    tests: ADMISSION,
  },
  {
    name: 'an absent field of a detection resets to the default',
    file: 'ledger/decide/observation.ts',
    find: 'if (detection.riskLevel !== undefined && detection.riskLevel !== risk) {\n    const { riskLevel: to } = detection',
    replace: 'if (detection.riskLevel !== risk) {\n    const to = detection.riskLevel ?? defaults.riskLevel',
    tests: OBSERVATION,
  },
  {
    name: 'stale observations change the phase',
    file: 'ledger/decide/observation.ts',
    find: 'const events = isStale ? [] : detectChanges',
    replace: 'const events = isStale && detection.phase === undefined ? [] : detectChanges',
    tests: OBSERVATION,
  },
  {
    name: 'peaks can fall',
    file: 'ledger/decide/observation.ts',
    find: 'known === undefined || value > known.value',
    replace: 'known === undefined || value !== known.value',
    tests: MODEL,
  },
  {
    name: 'evolve does not set the previous phase',
    file: 'ledger/evolve.ts',
    find: 'previousPhase: textOf(data.from), phase',
    replace: 'previousPhase: state.previousPhase, phase',
    tests: MODEL,
  },
  {
    name: 'a correction is not folded',
    file: 'ledger/evolve.ts',
    find: '...(after.riskLevel === undefined ? {} : { riskLevel: after.riskLevel }),',
    replace: '',
    tests: MODEL,
  },
  {
    name: 'the MAC of a link does not cover the previous MAC',
    file: 'journal/hash-chain.ts',
    find: 'chain.incarnation, previousMac, body])',
    replace: "chain.incarnation, '', body])",
    tests: TAMPERING,
  },
  {
    name: 'the MAC of a link does not cover the user',
    file: 'journal/hash-chain.ts',
    find: "['event', chain.user.namespace, chain.user.id, chain.incarnation,",
    replace: "['event', chain.user.namespace, 1,",
    tests: ['journal/hash-chain.test.ts'],
  },
  {
    name: 'the MAC of a head does not cover the state',
    file: 'journal/hash-chain.ts',
    find: 'head.sequence, head.mac, digest])',
    replace: 'head.sequence, head.mac, digest.length])',
    tests: TAMPERING,
  },
  {
    name: 'verify does not find a truncated log',
    file: 'ledger/verify.ts',
    find: "return { sequence: previous.sequence + 1, problem: 'Events are missing at the end.' }",
    replace: 'return undefined',
    tests: TAMPERING,
    always: true,
  },
  {
    name: 'a checkpoint does not compare the MAC of its event',
    file: 'ledger/checkpoint.ts',
    find: 'if (event?.sequence !== sequence || event.mac !== mac)',
    replace: 'if (event?.sequence !== sequence)',
    tests: TAMPERING,
  },
  {
    name: 'a refusal is decided on a cached state',
    file: 'journal/commit-loop.ts',
    find: 'return cached === undefined || isSameRow(await load(writer), base) ? true : undefined',
    replace: 'return true',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'a refusal is decided on the cached row without reading it',
    file: 'journal/user-writer.ts',
    find: 'const commit = unit.isDirty && !this.#isBroken ? encodeCommit(unit) : undefined',
    replace: 'const commit = !this.#isBroken ? encodeCommit(unit) : undefined',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'closing does not commit the deferred writes',
    file: 'journal/journal.ts',
    find: 'this.#isClosed = true\n    this.#deferred.flush()',
    replace: 'this.#isClosed = true',
    tests: DEFERRED,
  },
  {
    name: 'a read does not commit the deferred writes',
    file: 'journal/journal.ts',
    find: 'if (writer.hasDeferred) await this.flush(user)',
    replace: '',
    tests: DEFERRED,
  },
  {
    name: 'an erasure does not commit the deferred writes before it',
    file: 'journal/user-writer.ts',
    find: 'else if (this.#deferred.length > 0 && (next !== undefined || this.#isFlushing)) this.#commitDeferred()',
    replace: 'else if (this.#deferred.length > 0 && next === undefined && this.#isFlushing) this.#commitDeferred()',
    tests: DEFERRED,
  },
  {
    name: 'deferred writes do not join the next commit',
    file: 'journal/user-writer.ts',
    find: 'this.#add(this.#deferred.shift() as QueuedWrite<Data>)',
    replace: 'break',
    tests: DEFERRED,
  },
  {
    name: 'a conflict recreates an erased user',
    file: 'journal/commit-loop.ts',
    find: 'if (incarnation !== undefined && incarnation !== base.incarnation) throw userErased()',
    replace: '',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'a decision does not see the usage of the decision before it',
    file: 'journal/unit-of-work.ts',
    find: 'usage: this.#usage,\n      stamps: this.#stamps(),\n      now',
    replace: 'usage: this.#base.usage,\n      stamps: this.#stamps(),\n      now',
    tests: INTERLEAVINGS,
  },
  {
    name: 'a tombstone does not contain the state of the removed events',
    file: 'ledger/retention.ts',
    find: 'base = foldEvents(bodies, base)',
    replace: '',
    tests: ['ledger/retention.test.ts'],
  },
  {
    name: 'retention recreates an erased user',
    file: 'ledger/retention.ts',
    find: 'journal.write(user, { incarnation, decide',
    replace: 'journal.write(user, { decide',
    tests: ['ledger/retention.test.ts'],
  },
  {
    name: 'a bond contains the cached peaks',
    file: 'ledger/bond.ts',
    find: 'peaks: copyPeaks(measurements.peaks)',
    replace: 'peaks: measurements.peaks',
    tests: ['ledger/observation.test.ts'],
  },
]
