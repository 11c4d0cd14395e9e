import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createModelRewriter } from '../../src/openai/rewrite-model.ts'
import { hasUsage } from '../../src/openai/sniff-chunk.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('model rewriting')

const key = fc.oneof(fc.constantFrom('model', 'object', '"model":"x"', '\\'), fc.string())
const inner = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.constant('model'),
    fc.integer(),
    fc.constant(null),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
})).object

test('only the top-level model is replaced, in any JSON with any whitespace', () => {
  fc.assert(
    fc.property(
      fc.array(inner, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(undefined, 1, '\t'),
      fc.string(),
      fc.option(fc.string()),
      (objects, space, model, original) => {
        const rewrite = createModelRewriter(model)
        for (const object of objects) {
          const whole = JSON.parse(JSON.stringify({ ...object, model: original, tail: { model: 'deep' } }))
          assert.deepEqual(JSON.parse(rewrite(JSON.stringify(whole, null, space))), { ...whole, model })
        }
      },
    ),
    { seed, numRuns: rounds(20_000, 2_000) },
  )
})

test('chunks with the same beginning are rewritten alike, and one with another beginning is not', () => {
  const rewrite = createModelRewriter('requested')
  const chunk = (content: string) => JSON.stringify({ id: 'c', model: 'actual', choices: [{ delta: { content } }] })
  for (const content of ['a', '"model":"actual"', '']) {
    assert.equal(JSON.parse(rewrite(chunk(content))).model, 'requested')
    assert.equal(JSON.parse(rewrite(chunk(content))).choices[0].delta.content, content)
  }
  assert.equal(rewrite('{"id":"d","model":"actual2"}'), '{"id":"d","model":"requested"}')
  assert.equal(rewrite('{"id":"c","model":"actually"}'), '{"id":"c","model":"requested"}')
})

test('text with the same model, or with none, is returned unchanged', () => {
  const rewrite = createModelRewriter('m')
  for (const text of [
    '{"model":"m","a":1}',
    '{"object":"model"}',
    '{"a":{"model":"x"}}',
    '[]',
    'nonsense "',
    '{"model":{}}',
  ]) {
    assert.equal(rewrite(text), text)
  }
})

test('text of the answer is never read as a member of the chunk', () => {
  assert.ok(!hasUsage(JSON.stringify({ content: '"usage":{' })))
  assert.ok(hasUsage('{"usage": {}}') && !hasUsage('{"usage":null}'))
})
