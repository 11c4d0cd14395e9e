import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseExactJson } from '../../src/core/exact-json.ts'
import { type JsonObject, readJsonObject } from '../../src/core/json-object.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('JSON object')

const parameters = { seed, numRuns: rounds(20_000, 400) }
const names = fc.constantFrom('model', 'usage', 'response', 'id', 'a:b', 'c,d', 'e}f', '')
const value = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })
const inner = fc.dictionary(names, value, { maxKeys: 4 })
const object = fc.dictionary(names, fc.oneof(value, inner), { minKeys: 1, maxKeys: 5 })
const spaces = fc.constantFrom(undefined, 2, '\t')

function read(text: string): JsonObject {
  const json = readJsonObject(text, 'response')
  assert.ok(json !== undefined && !(json instanceof Promise))
  return json
}

test('members are found as JSON.parse finds them, also in the member that was named', () => {
  fc.assert(
    fc.property(object, spaces, (members, space) => {
      const text = JSON.stringify(members, null, space)
      const plain = parseExactJson(text) as Record<string, unknown>
      const json = read(text)
      assert.deepEqual(json.pick(Object.keys(plain)), plain)
      const inside = plain.response
      const isObject = typeof inside === 'object' && inside !== null && !Array.isArray(inside)
      assert.equal(json.hasInside, isObject && Object.keys(inside).length > 0)
      for (const name of ['model', 'usage', 'a:b', 'unknown']) {
        assert.equal(json.has(name), Object.hasOwn(plain, name))
        assert.deepEqual(json.get(name), plain[name])
        const own = isObject ? (inside as Record<string, unknown>)[name] : undefined
        assert.deepEqual(json.get(name, { isInside: true }), own)
      }
    }),
    parameters,
  )
})

test('members are replaced or added, and everything else stays as it was written', () => {
  fc.assert(
    fc.property(object, inner, spaces, (members, values, space) => {
      const changed = read(JSON.stringify(members, null, space)).with(values)
      assert.deepEqual(JSON.parse(changed), JSON.parse(JSON.stringify({ ...members, ...values })))
    }),
    parameters,
  )
  fc.assert(
    fc.property(inner, inner, fc.dictionary(fc.constantFrom('x', 'y'), value), (response, values, rest) => {
      const json = read(JSON.stringify({ response: { ...response, id: 1 }, ...rest }))
      const changed = json.with(values, { isInside: true })
      assert.deepEqual(
        JSON.parse(changed),
        JSON.parse(JSON.stringify({ response: { ...response, id: 1, ...values }, ...rest })),
      )
    }),
    parameters,
  )
  const text = '{"seed":12345678901234567890,  "model" : "a", "text":"\\u0041"}'
  assert.equal(read(text).with({ model: 'b' }), '{"seed":12345678901234567890,  "model" :"b", "text":"\\u0041"}')
  assert.equal(JSON.stringify(read(text).get('seed')), '12345678901234567890')
})

test('text whose brackets or quotes do not match is a SyntaxError, and other JSON no object', () => {
  for (const text of ['{', '{"a":1', '{"a":"', '{"a":1}}', '{"a":1} x', '{"a":"\\"}', '{"a":[1}']) {
    const outcome = (): unknown => read(text)
    if (text === '{"a":[1}') assert.throws(() => (outcome() as JsonObject).pick(['a']), SyntaxError)
    else assert.throws(outcome, SyntaxError, text)
  }
  for (const text of ['', '[]', '"{"', '1', 'null', 'x']) assert.equal(readJsonObject(text, undefined), undefined)
})

test('of a member that is repeated the last one counts', () => {
  const text = '{"model":"a","response":{"id":1,"status":"x"},"model":"b","response":{"id":2}}'
  const json = read(text)
  assert.equal(json.get('model'), 'b')
  assert.equal(json.get('id', { isInside: true }), 2)
  assert.equal(json.has('status', { isInside: true }), false)
  assert.equal(JSON.parse(json.with({ model: 'c' })).model, 'c')
})

test('a large text is read in steps, with the same result', async () => {
  for (const filler of ['"'.repeat(400_000), Array(300_000).fill(1.5), { deep: ['\\'.repeat(300_000)] }]) {
    const text = JSON.stringify({ filler, model: 'a', response: { usage: { n: 1 }, filler }, last: [true] })
    let turns = 0
    let isRunning = true
    const count = (): void => {
      turns++
      if (isRunning) setImmediate(count)
    }
    setImmediate(count)
    const json = await readJsonObject(text, 'response')
    assert.ok(json)
    assert.equal(json.get('model'), 'a')
    assert.equal(json.get('filler'), undefined)
    assert.deepEqual(json.get('usage', { isInside: true }), { n: 1 })
    assert.deepEqual(await json.pick(['filler', 'last']), { filler, last: [true] })
    isRunning = false
    assert.ok(turns >= 3, `${turns} turns`)
    const changed = json.with({ model: 'b' })
    assert.deepEqual(parseExactJson(changed), { ...(parseExactJson(text) as object), model: 'b' })
  }
  await assert.rejects(async () => readJsonObject(`{"a":"${'x'.repeat(100_000)}`, undefined), SyntaxError)
})
