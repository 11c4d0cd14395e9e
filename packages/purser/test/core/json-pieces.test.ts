import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, hashCanonicalJson } from '../../src/core/canonical-json.ts'
import { parseExactJson } from '../../src/core/exact-json.ts'
import { encodeJson, isLargeJson, jsonPieces } from '../../src/core/json-pieces.ts'
import { PurserError } from '../../src/errors.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('JSON pieces')

const LARGE = '語é😀"\\\n'.repeat(20_000)
const special = fc.constantFrom<unknown>(
  undefined,
  -0,
  Number.NaN,
  new Date(0),
  new Map([[1, 2]]),
  new String('x'),
  Object.create(null),
  () => 1,
  { toJSON: () => ({ b: 1, a: undefined }) },
  parseExactJson('12345678901234567890'),
  '\ud800',
  LARGE,
  `${'x'.repeat(65_535)}😀`,
)
const value = fc.anything({
  withNullPrototype: true,
  maxDepth: 4,
  values: [special, fc.string({ unit: 'binary' }), fc.integer()],
})

test('the pieces are the text of JSON.stringify, and each ends between two characters', () => {
  fc.assert(
    fc.property(value, (anything) => {
      const wrapped = [anything]
      const pieces = [...jsonPieces(wrapped)]
      assert.equal(pieces.join(''), JSON.stringify(wrapped))
      assert.ok(pieces.every((piece) => Buffer.from(piece).toString() === piece))
    }),
    { seed, numRuns: rounds(20_000, 500) },
  )
})

test('the hash of a large value is that of its canonical text', async () => {
  await fc.assert(
    fc.asyncProperty(value, async (anything) => {
      const large = { z: LARGE, a: [anything] }
      const expected = createHash('sha256')
        .update(`prefix${canonicalJson(large)}`)
        .digest('base64url')
      assert.equal(await hashCanonicalJson(large, 'prefix'), expected)
    }),
    { seed, numRuns: rounds(2_000, 100) },
  )
  assert.equal(hashCanonicalJson({ b: 1, a: 2 }), createHash('sha256').update('{"a":2,"b":1}').digest('base64url'))
})

test('a value is large by its characters or by its values', () => {
  for (const [small, isLarge] of [
    [undefined, false],
    ['x'.repeat(60_000), false],
    ['x'.repeat(70_000), true],
    [{ a: [{ b: 'x'.repeat(70_000) }] }, true],
    [{ ['n'.repeat(70_000)]: 1 }, true],
    [Array.from({ length: 40_000 }, () => 1), true],
    [Array.from({ length: 1_000 }, () => ({ role: 'user', content: 'hi' })), false],
  ] as const) {
    assert.equal(isLargeJson(small), isLarge)
  }
})

test('nesting beyond the limit and a value that contains itself are refused', async () => {
  let deep: unknown = LARGE
  for (let level = 0; level < 600; level++) deep = [deep]
  await assert.rejects(
    async () => hashCanonicalJson(deep),
    (error) => PurserError.is(error, 'argument_invalid'),
  )
  assert.equal(Buffer.concat([...(await encodeJson(deep))]).toString(), JSON.stringify(deep))
  const cyclic: unknown[] = ['x'.repeat(66_000)]
  cyclic.push(cyclic)
  await assert.rejects(encodeJson(cyclic), TypeError)
})

test('the process does other work while a large value is written', async () => {
  let turns = 0
  let isRunning = true
  const count = (): void => {
    turns++
    if (isRunning) setImmediate(count)
  }
  setImmediate(count)
  await encodeJson({ text: '"'.repeat(3_000_000) })
  isRunning = false
  assert.ok(turns >= 10, `${turns} turns`)
})
