import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createJitter } from '../../src/core/jitter.ts'

test('jitter is between 0 and 1, evenly distributed, and equal for equal seeds', () => {
  const numbers = Array.from({ length: 1_000 }, createJitter('x'))
  assert.ok(numbers.every((number) => number >= 0 && number < 1))
  assert.ok(Math.abs(numbers.reduce((sum, number) => sum + number) / 1_000 - 0.5) < 0.05)
  assert.deepEqual(Array.from({ length: 1_000 }, createJitter('x')), numbers)
})
