import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CallSignal, toAbortSignal } from '../../src/core/call-signal.ts'

type Step =
  | { readonly do: 'add' | 'remove'; readonly listener: number }
  | { readonly do: 'abort'; readonly reason: string }

const listener = fc.integer({ min: 0, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), listener }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), listener }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), reason: fc.string() }) },
)

test('a call signal calls the listeners that an abort signal calls', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const controller = new AbortController()
      const signal = new CallSignal()
      const expected: string[] = []
      const called: string[] = []
      const pairs = [0, 1, 2, 3].map((number) => ({
        ofExpected: () => expected.push(`${number} ${controller.signal.reason}`),
        ofSignal: () => called.push(`${number} ${signal.reason}`),
      }))
      const added = new Set<number>()
      for (const next of steps) {
        if (next.do === 'abort') {
          controller.abort(next.reason)
          signal.abort(next.reason)
          continue
        }
        const { ofExpected, ofSignal } = pairs[next.listener] as (typeof pairs)[number]
        // An abort signal has a listener once, however often it is added; nothing in this package adds one twice.
        if (next.do === 'add' && added.has(next.listener)) continue
        if (next.do === 'add') added.add(next.listener)
        else added.delete(next.listener)
        const method = next.do === 'add' ? 'addEventListener' : 'removeEventListener'
        controller.signal[method]('abort', ofExpected)
        signal[method]('abort', ofSignal)
      }
      assert.deepEqual(
        [called, signal.aborted, signal.reason],
        [expected, controller.signal.aborted, controller.signal.reason],
      )
    }),
  )
})

test('without a reason it is an AbortError', () => {
  const signal = new CallSignal()
  signal.throwIfAborted()
  signal.abort()
  assert.throws(() => signal.throwIfAborted(), { name: 'AbortError' })
})

test('a listener that was removed by an earlier one is not called', () => {
  const signal = new CallSignal()
  const called: string[] = []
  const second = (): void => void called.push('second')
  const first = (): void => {
    called.push('first')
    signal.removeEventListener('abort', first)
    signal.removeEventListener('abort', second)
  }
  signal.addEventListener('abort', first)
  signal.addEventListener('abort', second)
  signal.abort('over')
  assert.deepEqual(called, ['first'])
})

test('a signal for other code is aborted with the call, before or after it was made', () => {
  const signal = new CallSignal()
  const before = toAbortSignal(signal)
  assert.ok(before instanceof AbortSignal)
  signal.abort('over')
  assert.deepEqual([before.aborted, before.reason], [true, 'over'])
  assert.equal(toAbortSignal(signal).reason, 'over')
  assert.equal(toAbortSignal(before), before)
})
