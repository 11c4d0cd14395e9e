/** A bug planted on purpose: one change of the source, and the tests that must notice it. */
export interface Planted {
  readonly name: string
  /** Below `src`. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  /** Below `test`; at least one must fail. */
  readonly tests: readonly string[]
  /** Also planted in `npm test`; the others only when proving. */
  readonly always?: boolean
}

const ADMISSION = ['ledger/admission.test.ts']
const MODEL = ['ledger/model.test.ts']
const TAMPERING = ['ledger/tampering.test.ts']
const INTERLEAVINGS = ['ledger/interleavings.test.ts']

export const PLANTED: readonly Planted[] = [
  {
    name: 'the cap admits one too many',
    file: 'ledger/decide/admission.ts',
    find: 'usage.count + cost <= cap) return undefined',
    replace: 'usage.count + cost <= cap + 1) return undefined',
    tests: ADMISSION,
    always: true,
  },
  {
    name: 'a refund goes to the running window',
    file: 'ledger/decide/admission.ts',
    find: 'counters: changed(rules, view, ticket, { messages: -ticket.cost }),',
    replace:
      'counters: changed(rules, view, { ...ticket, window: usageIn(rules, view).window }, { messages: -ticket.cost }),',
    tests: ADMISSION,
  },
  {
    name: 'a ticket can be refunded twice',
    file: 'ledger/decide/admission.ts',
    find: "if (past === 'settled' || past === 'refunded') return { result: () => false }",
    replace: "if (past === 'settled') return { result: () => false }",
    tests: ADMISSION,
  },
  {
    name: 'the repeat of a turn closes a ticket that was never counted',
    file: 'ledger/admissions.ts',
    find: '        issued = undefined\n',
    replace: '',
    tests: ADMISSION,
  },
  {
    name: 'who keeps losing to other processes never keeps them from writing',
    file: 'journal/retry-on-conflict.ts',
    find: 'made < limits.politeAttempts ? undefined : await store.users.lockWrites?.()',
    replace: 'undefined as Awaited<ReturnType<NonNullable<UserStore["lockWrites"]>>> | undefined',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'refusals are remembered under their idempotency key',
    file: 'ledger/decide/admission.ts',
    find: 'remember: false, ',
    replace: '',
    tests: ADMISSION,
  },
  {
    name: 'a block never ends by itself',
    file: 'ledger/quota.ts',
    find: 'Date.parse(blocked.until) <= now',
    replace: 'Date.parse(blocked.until) <= 0',
    tests: ADMISSION,
  },
  {
    name: 'a clock that goes back reopens a window',
    file: 'ledger/window.ts',
    find: '[day.date, highest, first]',
    replace: '[day.date, first]',
    tests: ADMISSION,
  },
  {
    name: 'a zone change begins at once',
    file: 'ledger/decide/moderation.ts',
    find: 'effectiveAt: runs ? instant(day.end) : null',
    replace: 'effectiveAt: null',
    tests: ['ledger/calendar.test.ts'],
  },
  {
    name: 'a zone change gives a date twice',
    file: 'ledger/decide/moderation.ts',
    find: 'firstDate: runs ? nextDate(day.date) : lastCounted',
    replace: 'firstDate: runs ? null : lastCounted',
    tests: ['ledger/calendar.test.ts'],
  },
  {
    name: 'a clock put back over midnight brings yesterday back',
    file: 'ledger/calendar.ts',
    find: 'if (day.end <= now)',
    replace: 'if (day.end < 0)',
    tests: ['ledger/calendar.test.ts'],
  },
  {
    name: 'a rolling bucket leaves a minute early',
    file: 'ledger/window.ts',
    find: '(Number(window) + 1) * MINUTE + DAY',
    replace: 'Number(window) * MINUTE + DAY',
    tests: ADMISSION,
  },
  {
    name: 'what a detection does not say falls back to the default',
    file: 'ledger/decide/observation.ts',
    find: 'if (detection.riskLevel !== undefined && detection.riskLevel !== risk) {\n    const { riskLevel: to } = detection',
    replace: 'if (detection.riskLevel !== risk) {\n    const to = detection.riskLevel ?? defaults.riskLevel',
    tests: ['ledger/observation.test.ts'],
  },
  {
    name: 'stale observations change the phase',
    file: 'ledger/decide/observation.ts',
    find: 'const events = stale ? [] : eventsOf',
    replace: 'const events = stale && detection.phase === undefined ? [] : eventsOf',
    tests: ['ledger/observation.test.ts'],
  },
  {
    name: 'peaks can fall',
    file: 'ledger/decide/observation.ts',
    find: 'known === undefined || value > known.value',
    replace: 'known === undefined || value !== known.value',
    tests: MODEL,
  },
  {
    name: 'evolve forgets the phase before',
    file: 'ledger/evolve.ts',
    find: 'previousPhase: text(data.from), phase',
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
    name: 'the chain does not hang on the event before',
    file: 'journal/hash-chain.ts',
    find: 'chain.incarnation, previousMac, body])',
    replace: "chain.incarnation, '', body])",
    tests: TAMPERING,
  },
  {
    name: 'the chain does not name its user',
    file: 'journal/hash-chain.ts',
    find: "['event', chain.user.namespace, chain.user.id, chain.incarnation,",
    replace: "['event', chain.user.namespace, 1,",
    tests: ['journal/hash-chain.test.ts'],
  },
  {
    name: 'the head MAC leaves the state out',
    file: 'journal/hash-chain.ts',
    find: 'head.sequence, head.mac, digest])',
    replace: 'head.sequence, head.mac, digest.length])',
    tests: TAMPERING,
  },
  {
    name: 'verify does not look for a cut tail',
    file: 'ledger/verify.ts',
    find: "if (events.length === 0) throw new Bad('Events are missing at the end.', link.sequence + 1)",
    replace: 'if (events.length === 0) return',
    tests: TAMPERING,
    always: true,
  },
  {
    name: 'a checkpoint does not ask for its own event',
    file: 'ledger/checkpoint.ts',
    find: 'if (event?.sequence !== sequence || event.mac !== mac)',
    replace: 'if (event?.sequence !== sequence)',
    tests: TAMPERING,
  },
  {
    name: 'a refusal is decided on a remembered state',
    file: 'journal/commit-loop.ts',
    find: 'return kept === undefined || same(await snapshots.load(user), base) ? answers : undefined',
    replace: 'return answers',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'a lost race brings an erased person back',
    file: 'journal/commit-loop.ts',
    find: 'if (life !== undefined && life !== base.incarnation) throw erased()',
    replace: '',
    tests: ['journal/journal.test.ts'],
  },
  {
    name: 'a commit does not see the decisions before it',
    file: 'journal/counters.ts',
    find: 'return index === -1 ? [...counters, counter] : counters.with(index, counter)',
    replace: 'return index === -1 ? [...counters, counter] : counters',
    tests: INTERLEAVINGS,
  },
  {
    name: 'a tombstone forgets what it stands for',
    file: 'ledger/retention.ts',
    find: 'base = rebuild(parsed, base)',
    replace: '',
    tests: ['ledger/log.test.ts'],
  },
  {
    name: 'upkeep brings an erased person back',
    file: 'ledger/retention.ts',
    find: 'journal.write(user, { incarnation, decide',
    replace: 'journal.write(user, { decide',
    tests: ['ledger/log.test.ts'],
  },
  {
    name: "bonds share the ledger's own memory",
    file: 'ledger/bond.ts',
    find: 'peaks: copyOf(measured.peaks)',
    replace: 'peaks: measured.peaks',
    tests: ['ledger/observation.test.ts'],
  },
]
