import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findNewRows, mergeRows } from '../../src/pages/users/stable-order.ts'

interface Row {
  readonly key: string
  /** The list the row is from. */
  readonly source: string
}

const keyOf = (row: Row): string => row.key
const rowsOf = (list: string): Row[] => [...list].map((key) => ({ key, source: list }))

describe('order of a live list', () => {
  it('is the fresh one unless it must be preserved', () => {
    const { rows, pendingCount } = mergeRows(rowsOf('abc'), rowsOf('dab'), { keepOrder: false, keyOf })
    assert.deepEqual([rows.map(keyOf).join(''), pendingCount], ['dab', 0])
  })

  it('is preserved on request, with fresh values and a count of the new rows', () => {
    const { rows, pendingCount } = mergeRows(rowsOf('abc'), rowsOf('dba'), { keepOrder: true, keyOf })
    assert.deepEqual([rows.map(keyOf).join(''), pendingCount], ['abc', 1])
    assert.deepEqual(
      rows.map(({ source }) => source),
      ['dba', 'dba', 'abc'],
    )
  })
})

describe('new rows of a live list', () => {
  it('are those that were not there before; a first list has none', () => {
    assert.deepEqual(findNewRows(undefined, rowsOf('ab'), keyOf), [])
    assert.deepEqual(findNewRows(rowsOf('ab'), rowsOf('cab'), keyOf).map(keyOf), ['c'])
  })
})
