import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Amount } from '../../../src/ledger/limits/amount.ts'
import type { Counter, WindowUse } from '../../../src/ledger/limits/counter.ts'
import { listCounters, packCounters } from '../../../src/ledger/limits/counters.ts'
import { CountersDraft } from '../../../src/ledger/limits/counters-draft.ts'
import { encodeUsage, parseStoredUsage } from '../../../src/ledger/limits/stored-usage.ts'
import type { Usage } from '../../../src/ledger/limits/usage.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'

const numRuns = rounds(10_000, 300)
printSeed('counters in memory')

const RULES = { window: 'day', timeZone: 'UTC' } as const

const instant = fc.integer({ min: 0, max: 4_102_444_800_000 })
const amount = fc.oneof(fc.nat(), fc.constant('123456789012345678901'), fc.constant(Number.MAX_SAFE_INTEGER))
const window: fc.Arbitrary<WindowUse> = fc.record(
  {
    name: fc.oneof(fc.constantFrom('', '2026-03-10', '2026-03'), fc.string()),
    from: instant,
    used: amount,
    inputTokens: fc.nat(),
    outputTokens: fc.nat(),
    reported: fc.array(fc.string(), { maxLength: 2 }),
  },
  { requiredKeys: ['from', 'used'], noNullPrototype: true },
)
const mark = fc.record(
  { key: fc.string(), window: fc.string(), at: instant },
  { requiredKeys: ['key', 'at'], noNullPrototype: true },
)
const counter: fc.Arbitrary<Counter> = fc.record(
  {
    name: fc.constantFrom('daily', 'tokens', 'a "quoted" name', 'week'),
    of: fc.constantFrom('turns day', 'tokens week ["openai/*"]', 'cost total'),
    windows: fc.array(window, { minLength: 1, maxLength: 3 }),
    parts: fc.oneof(
      fc.array(amount, { maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(), amount), { minLength: 1, maxLength: 4 }).map((pairs) => pairs.flat()),
    ),
    marks: fc.array(mark, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ['name', 'of'], noNullPrototype: true },
)
const counters = fc.uniqueArray(counter, { selector: ({ name }) => name, maxLength: 4 })

describe('counters in memory', () => {
  it('have everything that the stored ones have, in both directions', () => {
    fc.assert(
      fc.property(counters, (list) => {
        const packed = packCounters(list)
        assert.deepEqual(listCounters(packed), list)
        const text = encodeUsage({ v: 1, counters: packed })
        assert.equal(text, encodeUsage(parseStoredUsage(RULES, JSON.parse(text), { zone: null })))
        assert.deepEqual(JSON.parse(text), { v: 1, counters: list })
      }),
      { numRuns, seed },
    )
  })

  it('are stored with all fields of the usage', () => {
    const all: Required<Usage> = {
      v: 1,
      seenAt: 5,
      gaps: [{ from: 1, to: 2 }],
      counters: packCounters([{ name: 'daily', of: 'turns day', windows: [{ name: '2026-03-10', from: 5, used: 2 }] }]),
      holds: [
        { id: 'a', at: 5, until: 6, model: 'openai/"x"', isTurn: true, inputTokens: 1, outputTokens: 2, cost: '9' },
      ],
      recorded: 3,
      refusals: [7, 1],
    }
    assert.deepEqual(parseStoredUsage(RULES, JSON.parse(encodeUsage(all)), { zone: null }), all)
  })

  it('change as a list of counters does, and leave the ones before as they were', () => {
    const command = fc.oneof(
      fc.record({ type: fc.constant('set' as const), counter }),
      fc.record({ type: fc.constant('use' as const), index: fc.nat(4), counter, amount }),
      fc.record({ type: fc.constant('measure' as const), index: fc.nat(4), counter, tokens: fc.nat() }),
      fc.record({
        type: fc.constant('part' as const),
        index: fc.nat(4),
        counter,
        amount,
        dropped: fc.nat(2),
        isEncoded: fc.boolean(),
      }),
      fc.record({ type: fc.constant('read' as const), index: fc.nat(4), counter }),
      fc.record({ type: fc.constant('publish' as const) }),
    )
    fc.assert(
      fc.property(counters, fc.array(command, { maxLength: 12 }), (list, commands) => {
        let published = packCounters(list)
        let draft = new CountersDraft(published)
        let model = list
        let before = list
        const replace = (next: Counter): void => {
          const index = model.findIndex(({ name }) => name === next.name)
          model = index === -1 ? [...model, next] : model.with(index, next)
        }
        for (const step of commands) {
          if (step.type === 'publish') {
            assert.deepEqual(listCounters(published), before)
            published = draft.toCounters()
            draft = new CountersDraft(published)
            before = model
            continue
          }
          // Nearly always one that is stored.
          const { name, of } = (step.type === 'set' ? undefined : model[step.index]) ?? step.counter
          const stored = model.find((other) => other.name === name && other.of === of)
          const use = draft.select({ name, counts: of })
          if (step.type === 'set') {
            use.counter = step.counter
            if (stored !== undefined || !isEmpty(step.counter)) replace(step.counter)
          } else if (step.type === 'use' && hasNewest(stored)) {
            use.used = step.amount
            replace(withUsed(stored, step.amount))
          } else if (step.type === 'part' && hasPart(stored)) {
            const { parts } = stored
            const from = (parts.at(-2) as number) + 1
            // A JSON that was made before is continued.
            if (step.isEncoded) encodeUsage({ v: 1, counters: draft.toCounters() })
            const dropped = 2 * Math.min(step.dropped, parts.length / 2 - 1)
            use.beginPart({ from, used: step.amount }, dropped)
            replace({ ...stored, parts: [...parts.slice(dropped), from, step.amount] })
            const text = encodeUsage({ v: 1, counters: draft.toCounters() })
            assert.deepEqual(JSON.parse(text), { v: 1, counters: model })
          } else if (step.type === 'measure' && stored?.windows !== undefined) {
            use.measure(step.tokens, 1)
            const { inputTokens = 0, outputTokens = 0 } = stored.windows.at(-1) ?? {}
            const tokens = { inputTokens: inputTokens + step.tokens, outputTokens: outputTokens + 1 }
            replace(withNewest(stored, tokens))
          } else {
            assert.deepEqual(use.counter, stored ?? { name, of })
            assert.deepEqual(newestOf(use), newestOf(newestIn(stored)))
          }
        }
        assert.deepEqual(listCounters(published), before)
        assert.deepEqual(listCounters(draft.toCounters()), model)
      }),
      { numRuns, seed },
    )
  })

  it('share their keys between users under the same rules', () => {
    const list: Counter[] = [{ name: 'daily', of: 'turns day', windows: [{ name: '2026-03-10', from: 5, used: 2 }] }]
    assert.equal(packCounters(list).keys, packCounters(structuredClone(list)).keys)
  })

  it('are not found under a rule that counts something else, which takes over the name', () => {
    const packed = packCounters([
      { name: 'daily', of: 'turns day', windows: [{ name: '2026-03-10', from: 5, used: 2 }] },
      { name: 'tokens', of: 'tokens 5h', windows: [{ from: 5, used: 2 }] },
    ])
    const draft = new CountersDraft(packed)
    assert.equal(draft.select({ name: 'daily', counts: 'turns day' }).used, 2)
    assert.equal(draft.select({ name: 'other', counts: 'turns day' }).from, undefined)
    const use = draft.select({ name: 'daily', counts: 'turns rolling24h' })
    assert.deepEqual([use.name, use.from, use.used], [undefined, undefined, 0])
    use.counter = { name: 'daily', of: 'turns rolling24h', parts: [60, 1] }
    assert.equal(draft.select({ name: 'tokens', counts: 'tokens 5h' }).used, 2)
    assert.deepEqual(
      listCounters(draft.toCounters()).map(({ of }) => of),
      ['turns rolling24h', 'tokens 5h'],
    )
  })

  it('drop the oldest one beyond 48', () => {
    const draft = new CountersDraft(packCounters([]))
    for (let index = 0; index < 50; index++) {
      const use = draft.select({ name: `limit-${index}`, counts: 'turns 5h' })
      use.counter = { ...use.counter, windows: [{ from: 5, used: index }] }
      use.used = index + 1
    }
    const names = listCounters(draft.toCounters()).map(({ name }) => name)
    assert.deepEqual([names.length, names[0], names.at(-1)], [48, 'limit-2', 'limit-49'])
    assert.equal(draft.select({ name: 'limit-7', counts: 'turns 5h' }).used, 8)
  })
})

function isEmpty({ windows, parts, marks }: Counter): boolean {
  return windows === undefined && parts === undefined && marks === undefined
}

/** The newest window, or the newest part as one. */
function newestIn(counter: Counter | undefined): { readonly name?: string | null; from?: number; used?: Amount } {
  const { windows, parts = [] } = counter ?? {}
  if (windows !== undefined) return windows.at(-1) ?? {}
  const from = parts.at(-2)
  if (parts.length % 2 !== 0 || typeof from !== 'number') return {}
  return { name: null, from, used: parts.at(-1) as Amount }
}

function newestOf({
  name,
  from,
  used = 0,
}: {
  name?: string | null | undefined
  from?: number | undefined
  used?: Amount
}): unknown {
  return [name, from, used]
}

function hasNewest(counter: Counter | undefined): counter is Counter {
  return newestIn(counter).from !== undefined
}

function hasPart(counter: Counter | undefined): counter is Counter & { readonly parts: readonly Amount[] } {
  return newestIn(counter).name === null
}

function withUsed(counter: Counter, used: Amount): Counter {
  return counter.windows === undefined
    ? { ...counter, parts: [...(counter.parts ?? []).slice(0, -1), used] }
    : withNewest(counter, { used })
}

function withNewest(counter: Counter, change: Partial<WindowUse>): Counter {
  const windows = counter.windows ?? []
  return { ...counter, windows: windows.with(-1, { ...(windows.at(-1) as WindowUse), ...change }) }
}
