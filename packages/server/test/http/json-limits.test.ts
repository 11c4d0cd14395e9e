import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JsonCounter } from '../../src/http/json-limits.ts'

/** Whether the limits accept a text that arrives in pieces of this size. */
function isAccepted(text: string, pieceBytes = text.length): boolean {
  const bytes = Buffer.from(text)
  const counter = new JsonCounter()
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) counter.push(bytes.subarray(at, at + pieceBytes))
    return true
  } catch {
    return false
  }
}

const nested = (levels: number, open = '[', close = ']'): string => open.repeat(levels) + close.repeat(levels)
const list = (count: number, value: string): string => `[${Array.from({ length: count }, () => value).join(',')}]`

test('levels and values are counted, and what stands in a string is not', () => {
  for (const [name, text, accepted] of [
    ['400 levels', nested(400), true],
    ['1,000 levels', nested(1_000), true],
    ['1,001 levels', nested(1_001), false],
    ['1,001 levels of objects', nested(1_001, '{"a":', '}'), false],
    ['1,001 levels that never close', '['.repeat(1_001), false],
    ['many shallow levels', list(10_000, nested(3)), true],
    ['100,000 values', list(99_990, '1'), true],
    ['too many values', list(100_001, '1'), false],
    ['too many fields', `{${Array.from({ length: 100_001 }, (_, index) => `"f${index}":1`).join(',')}}`, false],
    ['too many empty objects', list(60_000, '{}'), false],
    ['brackets in a string', JSON.stringify('['.repeat(5_000)), true],
    ['commas in a string', JSON.stringify(','.repeat(200_000)), true],
    ['quotes and brackets in a string', JSON.stringify('"['.repeat(5_000)), true],
    ['backslashes at the end of a string', `[${JSON.stringify(`${'x'.repeat(500)}\\\\`)},${nested(1_000)}]`, false],
    ['an escaped backslash before the end', `["${'x'.repeat(500)}\\\\",${nested(999)}]`, true],
    ['an escaped quote before brackets', `["${'x'.repeat(500)}\\"${'['.repeat(2_000)}"]`, true],
    ['a string without an end', `"${'['.repeat(5_000)}`, true],
  ] as const) {
    for (const pieceBytes of [text.length, 1_000, 64, 7]) {
      assert.equal(isAccepted(text, pieceBytes), accepted, `${name}, in pieces of ${pieceBytes}`)
    }
  }
})

/** Values and levels of a JSON value, counted after parsing. */
function measure(value: unknown): { values: number; depth: number } {
  if (typeof value !== 'object' || value === null) return { values: 1, depth: 0 }
  const members = Object.values(value).map(measure)
  return {
    values: 1 + members.reduce((sum, { values }) => sum + values, 0),
    depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)),
  }
}

test('any JSON behind any other in any pieces is counted as the parsed values are', () => {
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 5 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 0, max: 8 }),
      (json, pieceBytes, extra) => {
        const { depth } = measure(JSON.parse(json))
        const levels = 1_000 - depth - extra
        assert.equal(isAccepted('['.repeat(levels) + json + ']'.repeat(levels), pieceBytes), true)
        assert.equal(isAccepted('['.repeat(levels + extra + 1) + json, pieceBytes), depth + levels + extra + 1 <= 1_000)
      },
    ),
    { numRuns: 300 },
  )
})
