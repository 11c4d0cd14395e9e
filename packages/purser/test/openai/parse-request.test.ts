import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import type { ChatMessage, ChatRequest } from '../../src/openai/chat.ts'
import { injectContext } from '../../src/openai/inject-context.ts'
import { parseChatRequest } from '../../src/openai/parse-request.ts'
import { pseudonymizeUser } from '../../src/openai/pseudonymize-user.ts'

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}

const user: ChatMessage = { role: 'user', content: 'Hi' }
const inject = (messages: ChatRequest['messages'], text = 'ctx') =>
  injectContext(deepFreeze({ messages }), text).messages

test('context is appended to the last leading system or developer message', () => {
  const first: ChatMessage = { role: 'system', content: 'A' }
  assert.deepEqual(
    inject([first, { role: 'developer', content: 'B', name: 'n' }, user, { role: 'system', content: 'C' }]),
    [first, { role: 'developer', content: 'B\n\nctx', name: 'n' }, user, { role: 'system', content: 'C' }],
  )
})

test('content in parts gets another part, and empty content is replaced by the context', () => {
  const parts = [{ type: 'text', text: 'A' }]
  assert.deepEqual(inject([{ role: 'system', content: parts }, user])[0]?.content, [
    ...parts,
    { type: 'text', text: 'ctx' },
  ])
  for (const content of ['', null]) assert.equal(inject([{ role: 'system', content }, user])[0]?.content, 'ctx')
})

test('without leading instructions a system message is added, and empty context changes nothing', () => {
  const late: ChatMessage = { role: 'system', content: 'late' }
  assert.deepEqual(inject([user, late]), [{ role: 'system', content: 'ctx' }, user, late])
  const request: ChatRequest = { messages: [user] }
  assert.equal(injectContext(request, ''), request)
})

test('fields that identify the user are removed, and the pseudonym is set in the field of the provider', () => {
  const request = deepFreeze({
    messages: [user],
    user: 'bob',
    safety_identifier: 'bob',
    metadata: { user_id: 'bob' },
    seed: 1,
  })
  assert.deepEqual(pseudonymizeUser(request, { field: 'safety_identifier', id: 'h' }), {
    messages: [user],
    seed: 1,
    safety_identifier: 'h',
  })
  assert.deepEqual(pseudonymizeUser(request, { field: 'user', id: 'h' }), { messages: [user], seed: 1, user: 'h' })
  assert.deepEqual(pseudonymizeUser(request, { field: 'none', id: 'h' }), { messages: [user], seed: 1 })
})

test('of metadata only user_id is removed', () => {
  const pseudonymize = (metadata: ChatRequest['metadata']) =>
    pseudonymizeUser({ messages: [user], metadata }, { field: 'none', id: 'h' }).metadata
  assert.deepEqual(pseudonymize({ user_id: 'bob', trace: 't' }), { trace: 't' })
  assert.deepEqual(pseudonymize({ trace: 't' }), { trace: 't' })
  assert.deepEqual(pseudonymize({}), {})
  assert.equal(pseudonymize(null), null)
  assert.equal(pseudonymize(undefined), undefined)
})

test('a request that is not in the OpenAI format is rejected with the name of the invalid parameter', () => {
  const invalid: [unknown, string | undefined][] = [
    [null, undefined],
    [[], undefined],
    ['{}', undefined],
    [{}, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: [user], model: 7 }, 'model'],
    [{ messages: [user], stream: 'yes' }, 'stream'],
    [{ messages: [user], n: 0 }, 'n'],
    [{ messages: [user], temperature: 'hot' }, 'temperature'],
    [{ messages: [user], metadata: [] }, 'metadata'],
    [{ messages: [user, 'x'] }, 'messages[1]'],
    [{ messages: [{ content: 'x' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: 7 }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: ['x'] }] }, 'messages[0].content'],
  ]
  for (const [value, param] of invalid) {
    assert.throws(
      () => parseChatRequest(value),
      (error: unknown) => PurserError.is(error, 'request_invalid') && error.details?.param === param,
      JSON.stringify(value),
    )
  }
})

test('a request with unknown fields, null options and tool messages is returned unchanged', () => {
  const request = {
    messages: [
      user,
      { role: 'assistant', content: null, tool_calls: [] },
      { role: 'tool', content: 'x', tool_call_id: 'a' },
    ],
    stream: null,
    vendor: { any: 'thing' },
  }
  assert.equal(parseChatRequest(request), request)
})
