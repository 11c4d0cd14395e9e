import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SlotTable } from '../../src/core/slot-table.ts'

test('a slot table behaves like a map that chooses its keys', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant('add' as const) },
    { weight: 5, arbitrary: fc.nat(40).map((index) => ({ take: index })) },
    { weight: 1, arbitrary: fc.constant('takeAll' as const) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new SlotTable<string>()
      const model = new Map<number, string>()
      const keys: number[] = []
      for (const [index, taken] of steps.entries()) {
        if (taken === 'add') {
          const key = table.add(`value ${index}`)
          assert.ok(!keys.includes(key), 'a key is used once')
          keys.push(key)
          model.set(key, `value ${index}`)
        } else if (taken === 'takeAll') {
          assert.deepEqual(table.takeAll().toSorted(), [...model.values()].toSorted())
          model.clear()
        } else {
          // Also keys that were taken before, or that there never were.
          const key = keys[taken.take] ?? taken.take + 1_000
          assert.equal(table.take(key), model.get(key))
          model.delete(key)
        }
        assert.equal(table.size, model.size)
        assert.equal(
          table.some((value) => value.endsWith('7')),
          model.values().some((value) => value.endsWith('7')),
        )
      }
    }),
  )
})

test('a slot table needs no more memory than values at a time', () => {
  const table = new SlotTable<number>()
  const slots = new Set<number>()
  for (let value = 0; value < 10_000; value++) {
    const key = table.add(value)
    slots.add(key % 2 ** 20)
    assert.equal(table.take(key), value)
    assert.equal(table.take(key), undefined)
  }
  assert.equal(slots.size, 1)
})
