import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createModelRewriter } from '../../src/openai/rewrite-model.ts'
import { hasError, hasFinishReason, hasUsage } from '../../src/openai/sniff-chunk.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('restamp')

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

test('only the top-level model changes, whatever the JSON holds and however it is spaced', () => {
  fc.assert(
    fc.property(
      fc.array(inner, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(undefined, 1, '\t'),
      fc.string(),
      fc.option(fc.string()),
      (objects, space, wanted, given) => {
        const restamp = createModelRewriter(wanted)
        for (const object of objects) {
          const whole = JSON.parse(JSON.stringify({ ...object, model: given, tail: { model: 'deep' } }))
          assert.deepEqual(JSON.parse(restamp(JSON.stringify(whole, null, space))), { ...whole, model: wanted })
        }
      },
    ),
    { seed, numRuns: rounds(20_000, 2_000) },
  )
})

test('chunks that begin alike are restamped alike, and one that begins otherwise is not', () => {
  const restamp = createModelRewriter('asked')
  const chunk = (content: string) => JSON.stringify({ id: 'c', model: 'real', choices: [{ delta: { content } }] })
  for (const content of ['a', '"model":"real"', '']) {
    assert.equal(JSON.parse(restamp(chunk(content))).model, 'asked')
    assert.equal(JSON.parse(restamp(chunk(content))).choices[0].delta.content, content)
  }
  assert.equal(restamp('{"id":"d","model":"real2"}'), '{"id":"d","model":"asked"}')
  assert.equal(restamp('{"id":"c","model":"realistic"}'), '{"id":"c","model":"asked"}')
})

test('text with the right model, or with none, comes back as it is', () => {
  const restamp = createModelRewriter('m')
  for (const text of [
    '{"model":"m","a":1}',
    '{"object":"model"}',
    '{"a":{"model":"x"}}',
    '[]',
    'nonsense "',
    '{"model":{}}',
  ]) {
    assert.equal(restamp(text), text)
  }
})

test('words of the answer are never taken for members of the chunk', () => {
  const text = JSON.stringify({ content: '"finish_reason":"stop" "usage":{ "error":{' })
  assert.deepEqual([hasFinishReason(text), hasUsage(text), hasError(text)], [false, false, false])
  assert.ok(hasFinishReason('{"finish_reason" : "stop"}') && hasUsage('{"usage": {}}') && hasError('{"error":"x"}'))
  assert.ok(!hasFinishReason('{"finish_reason":null}') && !hasUsage('{"usage":null}') && !hasError('{"error":null}'))
})
