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

test('members are written in the order of their names, however many there are', () => {
  for (const count of [2, 3, 32, 33, 200]) {
    const names = Array.from({ length: count }, (_, index) => `${'Bab'[index % 3]}${(index * 7_919) % 1_009}é`)
    const text = canonicalJson(Object.fromEntries(names.map((name) => [name, 1])))
    assert.equal(text, JSON.stringify(Object.fromEntries(names.toSorted().map((name) => [name, 1]))))
  }
})
