import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Counter, WindowUse } from '../../../src/ledger/limits/counter.ts'
import { CountersDraft, findCounter, listCounters, packCounters } from '../../../src/ledger/limits/counters.ts'
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
    parts: fc.array(amount, { maxLength: 4 }),
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
      fc.record({ type: fc.constant('remove' as const) }),
      fc.record({ type: fc.constant('read' as const), counter }),
      fc.record({ type: fc.constant('publish' as const) }),
    )
    fc.assert(
      fc.property(counters, fc.array(command, { maxLength: 12 }), (list, commands) => {
        let published = packCounters(list)
        let draft = new CountersDraft(published)
        let model = list
        let before = list
        for (const step of commands) {
          if (step.type === 'set') {
            const index = draft.find(step.counter.name)
            assert.equal(
              index,
              model.findIndex(({ name }) => name === step.counter.name),
            )
            if (index === -1) assert.equal(draft.add(step.counter), model.length + 1)
            else draft.set(index, step.counter)
            model = index === -1 ? [...model, step.counter] : model.with(index, step.counter)
          } else if (step.type === 'remove' && model.length > 0) {
            draft.removeFirst()
            model = model.slice(1)
          } else if (step.type === 'read') {
            const index = draft.find(step.counter.name)
            if (index !== -1) assert.deepEqual(draft.at(index), model[index])
          } else if (step.type === 'publish') {
            assert.deepEqual(listCounters(published), before)
            published = draft.toCounters()
            draft = new CountersDraft(published)
            before = model
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

  it('are not found under a rule that counts something else', () => {
    const packed = packCounters([
      { name: 'daily', of: 'turns day', windows: [{ name: '2026-03-10', from: 5, used: 2 }] },
    ])
    assert.equal(findCounter(packed, { name: 'daily', counts: 'turns day' })?.windows?.length, 1)
    assert.equal(findCounter(packed, { name: 'daily', counts: 'turns rolling24h' }), undefined)
    assert.equal(findCounter(packed, { name: 'other', counts: 'turns day' }), undefined)
  })
})
