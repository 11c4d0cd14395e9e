import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { isRawNumber, parseExactJson } from '../../src/core/exact-json.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('exact JSON')

const integer = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String)
const scalar = fc.oneof(integer, fc.constantFrom('true', 'null', '0.5', '1e400', '-1e999'), fc.string().map(toJson))
const { value: json } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value')).map((items) => `[${items.join(',')}]`),
    fc.dictionary(fc.string(), tie('value')).map((fields) => {
      const members = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}:${value}`)
      return `{${members.join(',')}}`
    }),
  ),
}))

function toJson(value: unknown): string {
  return JSON.stringify(value)
}

test('JSON with numbers of any size is written as it was read, and canonical text keeps them apart', () => {
  fc.assert(
    fc.property(json, (text) => {
      const value = parseExactJson(text)
      assert.equal(JSON.stringify(value), text)
      assert.equal(canonicalJson([value]), canonicalJson(parseExactJson(`[${text}]`)))
    }),
    { seed, numRuns: rounds(20_000, 1_000) },
  )
})

test('integers up to 2^53 and numbers with a fraction are JavaScript numbers', () => {
  for (const text of [
    '9007199254740991',
    '-9007199254740991',
    '0.12345678901234567',
    '1e300',
    '"12345678901234567890"',
  ]) {
    assert.equal(parseExactJson(text), JSON.parse(text), text)
  }
  for (const text of ['9007199254740993', '-18446744073709551615', '1e400']) {
    assert.ok(isRawNumber(parseExactJson(text)), text)
  }
})

test('neighbors beyond 2^53 have different canonical texts', () => {
  const texts = ['9007199254740992', '9007199254740993', '9007199254740994'].map((seedText) =>
    canonicalJson(parseExactJson(`{"seed":${seedText}}`)),
  )
  assert.equal(new Set(texts).size, 3)
})

test('invalid JSON throws, and nesting beyond the call stack does not', () => {
  assert.throws(() => parseExactJson('{"a":12345678901234567890'), SyntaxError)
  const deep = '['.repeat(200_000) + ']'.repeat(200_000)
  assert.ok(Array.isArray(parseExactJson(deep.replace('[]', '[12345678901234567890]'))))
})
