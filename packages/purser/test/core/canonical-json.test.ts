import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalJson } from '../../src/core/canonical-json.ts'

const nested = (levels: number): unknown => {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value }
  return value
}

test('values that are equal apart from key order give one text, and too deep nesting is rejected without overflowing the stack', () => {
  assert.equal(canonicalJson({ b: [1, { d: undefined, c: null }], a: 'x' }), '{"a":"x","b":[1,{"c":null}]}')
  assert.equal(canonicalJson(nested(512)), JSON.stringify(nested(512)))
  for (const levels of [513, 100_000]) assert.throws(() => canonicalJson(nested(levels)), { code: 'argument_invalid' })
})
