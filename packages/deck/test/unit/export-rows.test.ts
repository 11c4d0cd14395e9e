import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toCsv, toJsonLines } from '../../src/components/export-rows.ts'
import { diffLines } from '../../src/components/line-diff.ts'

const COLUMNS = [{ name: 'text', valueOf: (row: { text: string | number | null }) => row.text }]

describe('exported rows', () => {
  it('are CSV in which no cell is a formula', () => {
    const starts = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1']
    for (const text of starts) {
      const [, line = ''] = toCsv([{ text }], COLUMNS).split('text\r\n')
      assert.ok(line.startsWith(`"'`), JSON.stringify(line))
    }
    assert.equal(toCsv([{ text: -1 }, { text: null }], COLUMNS), 'text\r\n-1\r\n\r\n')
  })

  it('quote separators, quotes and line breaks', () => {
    assert.equal(toCsv([{ text: 'a,"b"\r\nc' }], COLUMNS), 'text\r\n"a,""b""\r\nc"\r\n')
  })

  it('are one JSON value a line', () => {
    assert.deepEqual(
      toJsonLines([{ text: 'a\nb' }, { text: 'c' }])
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [{ text: 'a\nb' }, { text: 'c' }],
    )
  })
})

describe('differences of two texts', () => {
  it('are the lines that only one of them has, in order', () => {
    const lines = diffLines('a\nb\nc', 'a\nx\nc\nd')
    assert.deepEqual(
      lines.map(({ kind, text }) => `${kind} ${text}`),
      ['same a', 'removed b', 'added x', 'same c', 'added d'],
    )
  })

  it('give back both texts', () => {
    const [before, after] = ['one\ntwo\n\nthree', 'two\nthree\nfour\n']
    const lines = diffLines(before, after)
    const without = (kind: string): string =>
      lines
        .filter((line) => line.kind !== kind)
        .map(({ text }) => text)
        .join('\n')
    assert.equal(without('added'), before)
    assert.equal(without('removed'), after)
  })
})
