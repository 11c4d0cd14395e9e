import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatMessage, ChatRequest } from '../../src/openai/chat.ts'
import { dropEmptyTexts } from '../../src/openai/drop-empty-texts.ts'
import { estimateRequestTokens, textBytesOfChunk } from '../../src/openai/estimate-tokens.ts'

const empty = { type: 'text', text: '' }
const filled = { type: 'text', text: 'Hi' }
const image = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } }

test('empty texts are removed from lists of parts, which keep one part', () => {
  const cases: [ChatMessage['content'], ChatMessage['content']][] = [
    [[empty, image], [image]],
    [
      [filled, empty, image, empty],
      [filled, image],
    ],
    [[empty, empty], [empty]],
    [[empty], [empty]],
    [[{ type: 'text' }, filled], [filled]],
    [
      [filled, image],
      [filled, image],
    ],
    ['', ''],
    [null, null],
  ]
  for (const [content, expected] of cases) {
    const messages: ChatMessage[] = [{ role: 'user', content, name: 'n' }]
    assert.deepEqual(dropEmptyTexts({ messages, seed: 1 }), {
      messages: [{ role: 'user', content: expected, name: 'n' }],
      seed: 1,
    })
  }
})

test('a request without empty texts is not copied', () => {
  const request: ChatRequest = { messages: [{ role: 'user', content: [filled, image] }] }
  assert.equal(dropEmptyTexts(request), request)
})

test('the text of a chunk is measured in every member that holds what the model wrote', () => {
  const cases: [object, number][] = [
    [{ content: 'Hello' }, 5],
    [{ content: 'a"b\\', role: 'assistant' }, 6],
    [{ content: 'ö' }, 2],
    [{ content: null, reasoning_content: 'abc' }, 3],
    [{ content: '', tool_calls: [{ index: 0, function: { arguments: '{"a":1}' } }] }, 9],
    [{ content: null }, 0],
    [{}, 0],
  ]
  for (const [delta, bytes] of cases) {
    assert.equal(textBytesOfChunk(JSON.stringify({ id: 'content', choices: [{ index: 0, delta }] })), bytes)
  }
  assert.equal(textBytesOfChunk('{"choices":[{"delta":{"content" : "no"}}]}'), 0, 'only what every provider sends')
  assert.equal(textBytesOfChunk('{"content": "Hello"}'), 5)
  assert.equal(textBytesOfChunk('{"content":"cut'), 2)
})

test('a request is estimated by its texts', () => {
  const messages: ChatMessage[] = [
    { role: 'system', content: 'x'.repeat(40) },
    { role: 'user', content: [{ type: 'text', text: 'y'.repeat(40) }, image] },
    { role: 'assistant', content: null },
  ]
  assert.equal(estimateRequestTokens({ messages }), 20)
})
