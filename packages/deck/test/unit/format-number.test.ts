import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatBytes, pluralize } from '../../src/format-number.ts'

describe('number formats', () => {
  it('pluralize the unit', () => {
    assert.deepEqual(
      [1, 1_204, 0].map((count) => pluralize(count, 'user')),
      ['1 user', '1,204 users', '0 users'],
    )
  })

  it('show bytes in decimal units', () => {
    assert.deepEqual([0, 999, 1_000, 268_435_456].map(formatBytes), ['0 B', '999 B', '1.0 kB', '268 MB'])
  })
})
