import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findEndpointError } from '../../src/openai/find-endpoint-error.ts'
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

test('an object without choices is an error as servers and proxies write it', () => {
  for (const body of [
    { detail: 'Internal error' },
    { detail: [{ loc: ['body'], msg: 'too long' }] },
    { message: 'no healthy upstream', code: 503 },
    { message: 'Bad gateway', status: '502' },
    { status: 'error', message: 'x' },
  ]) {
    assert.equal(findError(body), body)
  }
  for (const body of [
    { message: 'queued', status: 'processing' },
    { message: 'queued', code: 200 },
    { id: 'c1', object: 'chat.completion.chunk', detail: 'low' },
    { type: 'image', detail: 'high' },
    { detail: '' },
    { detail: 'x', choices: [choice] },
  ]) {
    assert.equal(findError(body), undefined, JSON.stringify(body))
  }
})

test('an answer or an event of another endpoint reports its error beside it, instead of it or in its response', () => {
  const boom = { message: 'boom' }
  for (const [json, event, error] of [
    ['{"error":{"message":"boom"}}', 'message', boom],
    ['[{"error":{"message":"boom"}}]', 'message', boom],
    ['{"object":"response","status":"failed","error":{"message":"boom"},"output":[]}', 'message', boom],
    ['{"type":"response.failed","response":{"error":{"message":"boom"}}}', 'response.failed', boom],
    ['{"type":"response.failed","response":{"error":{"message":"boom"}}}', 'message', boom],
    ['{"type":"error","message":"boom"}', 'error', { type: 'error', ...boom }],
    ['{"message":"boom"}', 'error', boom],
    ['overloaded', 'error', 'overloaded'],
    ['{"object":"response","error":null,"output":[]}', 'message', undefined],
    ['{"type":"response.created","response":{"error":null}}', 'response.created', undefined],
    ['{"type":"response.output_text.delta","delta":"\\"error\\":1"}', 'response.output_text.delta', undefined],
    ['{"data":[],"error":{}}', 'message', undefined],
  ] as const) {
    assert.deepEqual(findEndpointError(json, event), error, json)
  }
})
