import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findError } from '../../src/openai/find-error.ts'

const error = { message: 'Provider disconnected', code: 502 }
const choice = { index: 0, delta: { content: '' }, finish_reason: null }

test('an error is found beside choices, in a choice, in a list, as text and as the object itself', () => {
  for (const body of [
    { error },
    { error: [error] },
    { error: [null, error], choices: [choice] },
    { error, choices: [] },
    { error, choices: null },
    { error, choices: [choice] },
    { error, choices: [], usage: { total_tokens: 1 } },
    { choices: [{ ...choice, error }] },
    { choices: { ...choice, error } },
    { choices: [choice, { ...choice, index: 1, error: [error] }] },
  ]) {
    assert.deepEqual(findError(body), error, JSON.stringify(body))
  }
  assert.equal(findError({ error: 'out of memory', choices: [] }), 'out of memory')
  assert.equal(findError({ error: 500 }), 500)
  assert.notEqual(findError({ choices: [{ ...choice, finish_reason: 'error' }] }), undefined)
  for (const body of [
    { object: 'error', message: 'x' },
    { type: 'error', message: 'x' },
  ])
    assert.equal(findError(body), body)
})

test('null, empty and false values are no errors, and neither are names inside the answer', () => {
  for (const value of [undefined, null, '', false, 0, {}, [], [null], { message: null, code: '' }, { details: [] }]) {
    assert.equal(findError({ error: value, choices: [{ ...choice, error: value }] }), undefined, JSON.stringify(value))
  }
  assert.equal(findError({ choices: [{ ...choice, delta: { content: '{"error":"x"}' } }], type: 'error' }), undefined)
})
