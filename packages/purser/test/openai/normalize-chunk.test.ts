import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatChunk } from '../../src/openai/chat.ts'
import { mergeChunks } from '../../src/openai/merge-chunks.ts'
import { ChunkNormalizer } from '../../src/openai/normalize-chunk.ts'
import { normalizeCompletion } from '../../src/openai/normalize-completion.ts'

type Fields = Record<string, unknown>

const HEADER = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' }
let ids = 0
const createId = () => `made-${ids++}`

function normalizeAll(chunks: readonly Fields[]): { chunks: ChatChunk[]; changes: boolean[] } {
  const normalizer = new ChunkNormalizer({ createId })
  const results = structuredClone(chunks).map((chunk) => normalizer.normalize(chunk as Fields))
  return {
    chunks: results.flatMap((result) => (result === undefined ? [] : [result.chunk])),
    changes: results.map((result) => result?.isChanged ?? true),
  }
}

const chunk = (choice: unknown, more: Fields = {}): Fields => ({ ...HEADER, choices: [choice], ...more })
const delta = (fields: Fields, finish_reason: string | null = null): Fields =>
  chunk({ index: 0, delta: fields, finish_reason })

test('chunks as OpenAI and common servers write them are not changed', () => {
  const chunks = [
    delta({ role: 'assistant', content: '', refusal: null }),
    delta({ content: 'a', tool_calls: null, function_call: null, reasoning_content: null }),
    delta({ content: 'b' }),
    { ...HEADER, choices: [{ index: 0, delta: { content: 'c' } }], usage: null, x_vendor: { any: [null] } },
    delta({ tool_calls: [{ index: 0, id: 'x', type: 'function', function: { name: 'f', arguments: '' } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: '{}' } }] }),
    delta({}, 'tool_calls'),
    { ...HEADER, choices: [], usage: { prompt_tokens: 1 } },
    { ...HEADER, choices: [], prompt_filter_results: [] },
  ]
  const result = normalizeAll(chunks)
  assert.deepEqual(
    result.changes,
    chunks.map(() => false),
  )
  assert.deepEqual(result.chunks, chunks)
})

test('values of other types, null and empty ones become the documented form', () => {
  const cases: [name: string, value: Fields, choices: unknown, more?: Fields][] = [
    ['choices null with usage', { choices: null, usage: { prompt_tokens: 1 } }, []],
    ['choices missing', { object: 'chat.completion.chunk' }, []],
    ['choices as object', { choices: { index: 0, delta: { content: 'a' } } }, [{ index: 0, delta: { content: 'a' } }]],
    ['choices with null and scalars', { choices: [null, 1, 'x', []] }, []],
    ['choices as text', { choices: 'x' }, []],
    ['choice without fields', { choices: [{}] }, [{ index: 0, delta: {} }]],
    ['delta null', { choices: [{ index: 0, delta: null }] }, [{ index: 0, delta: {} }]],
    ['delta as text', { choices: [{ index: 0, delta: 'a' }] }, [{ index: 0, delta: { content: 'a' } }]],
    ['delta as list', { choices: [{ index: 0, delta: [1] }] }, [{ index: 0, delta: {} }]],
    ['index as text', { choices: [{ index: '1', delta: {} }] }, [{ index: 1, delta: {} }]],
    ['index of nonsense', { choices: [{ index: '__proto__', delta: {} }] }, [{ index: 0, delta: {} }]],
    [
      'finish reason empty',
      { choices: [{ index: 0, delta: {}, finish_reason: '' }] },
      [{ index: 0, delta: {}, finish_reason: null }],
    ],
    [
      'finish reason number',
      { choices: [{ index: 0, delta: {}, finish_reason: 0 }] },
      [{ index: 0, delta: {}, finish_reason: null }],
    ],
    [
      'role empty',
      { choices: [{ index: 0, delta: { role: '', content: 'a' } }] },
      [{ index: 0, delta: { content: 'a' } }],
    ],
    ['content number', { choices: [{ index: 0, delta: { content: 5 } }] }, [{ index: 0, delta: { content: '5' } }]],
    ['content true', { choices: [{ index: 0, delta: { content: true } }] }, [{ index: 0, delta: { content: '' } }]],
    [
      'content in parts',
      { choices: [{ index: 0, delta: { content: [{ type: 'text', text: 'a' }, 'b', null] } }] },
      [{ index: 0, delta: { content: 'ab' } }],
    ],
    [
      'thinking parts',
      { choices: [{ index: 0, delta: { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 't' }] }] } }] },
      [{ index: 0, delta: { content: '', reasoning_content: 't' } }],
    ],
    [
      'calls as object',
      { choices: [{ index: 0, delta: { tool_calls: { index: 0, id: 'x', function: { name: 'f' } } } }] },
      [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'x', function: { name: 'f' } }] } }],
    ],
    [
      'calls as text',
      { choices: [{ index: 0, delta: { tool_calls: 'x' } }] },
      [{ index: 0, delta: { tool_calls: [] } }],
    ],
    [
      'calls with null',
      { choices: [{ index: 0, delta: { tool_calls: [null, 'x'] } }] },
      [{ index: 0, delta: { tool_calls: [] } }],
    ],
    [
      'function null',
      { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'x', function: null }] } }] },
      [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'x' }] } }],
    ],
    [
      'parsed arguments',
      {
        choices: [
          { index: 0, delta: { tool_calls: [{ index: 0, id: 'x', function: { name: 'f', arguments: { a: 1 } } }] } },
        ],
      },
      [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'x', function: { name: 'f', arguments: '{"a":1}' } }] } }],
    ],
    [
      'usage in the choice',
      { choices: [{ index: 0, delta: {}, usage: { prompt_tokens: 1 } }] },
      [{ index: 0, delta: {} }],
      { usage: { prompt_tokens: 1 } },
    ],
    ['usage of another type', { choices: [], usage: 'none' }, [], {}],
    [
      'a completion',
      { object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'a' } }] },
      [{ index: 0, delta: { role: 'assistant', content: 'a' } }],
    ],
  ]
  for (const [name, value, choices, more] of cases) {
    const result = new ChunkNormalizer({ createId }).normalize(structuredClone(value))
    assert.ok(result !== undefined, name)
    assert.deepEqual(result.chunk.choices, choices, name)
    if (more !== undefined) assert.deepEqual(result.chunk.usage, more.usage, name)
    const again = new ChunkNormalizer({ createId }).normalize(structuredClone(result.chunk) as unknown as Fields)
    assert.equal(again?.isChanged, false, `${name}: a second time`)
  }
})

test('events of other protocols are no chunks', () => {
  for (const value of [{}, { type: 'ping' }, { tool: 'web_search', status: 'running' }, { usage: null }]) {
    assert.equal(new ChunkNormalizer({ createId }).normalize(value), undefined)
  }
})

test('a message beside deltas is not text, and a message without deltas is', () => {
  const message = (content: string, more: Fields = {}) => ({ message: { role: 'assistant', content }, ...more })
  const cases: [name: string, chunks: Fields[]][] = [
    [
      'cumulative beside deltas',
      [
        chunk({ index: 0, delta: { content: 'Hel' }, ...message('Hel') }),
        chunk({ index: 0, delta: { content: 'lo' }, ...message('Hello'), finish_reason: 'stop' }),
      ],
    ],
    [
      'whole in the last chunk',
      [
        delta({ content: 'Hel' }),
        delta({ content: 'lo' }),
        chunk({ index: 0, delta: {}, ...message('Hello'), finish_reason: 'stop' }),
      ],
    ],
    [
      'whole in the last chunk without a delta',
      [delta({ content: 'Hello' }), chunk({ index: 0, ...message('Hello'), finish_reason: 'stop' })],
    ],
    [
      'whole beside an empty delta only',
      [delta({ role: 'assistant' }), chunk({ index: 0, delta: {}, ...message('Hello'), finish_reason: 'stop' })],
    ],
    [
      'cumulative messages',
      [chunk({ index: 0, ...message('Hel') }), chunk({ index: 0, ...message('Hello'), finish_reason: 'stop' })],
    ],
    [
      'messages in pieces',
      [chunk({ index: 0, ...message('Hel') }), chunk({ index: 0, ...message('lo'), finish_reason: 'stop' })],
    ],
    [
      'one completion',
      [{ ...HEADER, object: 'chat.completion', choices: [{ index: 0, ...message('Hello'), finish_reason: 'stop' }] }],
    ],
  ]
  for (const [name, chunks] of cases) {
    const completion = mergeChunks(normalizeAll(chunks).chunks)
    assert.equal(completion.choices[0]?.message.content, 'Hello', name)
    assert.equal(completion.choices[0]?.finish_reason, 'stop', name)
    assert.equal(completion.object, 'chat.completion', name)
  }
})

interface Piece {
  index?: unknown
  id?: unknown
  name?: unknown
  args?: unknown
}
const piece = ({ index, id, name, args }: Piece): Fields => ({
  ...(index === undefined ? {} : { index }),
  ...(id === undefined ? {} : { id }),
  function: { ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) },
})

test('each tool call has an index of its own, however the upstream tells calls apart', () => {
  const whole = [
    { id: 'a', name: 'f', args: '{"x":1}' },
    { id: 'b', name: 'f', args: '{"x":2}' },
    { id: 'c', name: 'g', args: '{}' },
  ]
  const cases: [name: string, deltas: Piece[][]][] = [
    ['indexes', whole.map((call, index) => [{ ...call, index }])],
    ['indexes from 1', whole.map((call, index) => [{ ...call, index: index + 1 }])],
    ['one index, one per chunk', whole.map((call) => [{ ...call, index: 0 }])],
    ['one index, one chunk', [whole.map((call) => ({ ...call, index: 0 }))]],
    ['no index, one per chunk', whole.map((call) => [call])],
    ['no index, one chunk', [whole]],
    ['index null', whole.map((call) => [{ ...call, index: null }])],
    ['index as text', whole.map((call, index) => [{ ...call, index: String(index) }])],
    [
      'one index, in pieces',
      whole.flatMap(({ id, name, args }) => [
        [{ index: 0, id, name, args: '' }],
        [{ index: 0, args: args.slice(0, 2) }],
        [{ index: 0, id: '', name: null, args: args.slice(2) }],
      ]),
    ],
    [
      'no index, in pieces',
      whole.flatMap(({ id, name, args }) => [
        [{ id, name }],
        [{ args: args.slice(0, 2) }],
        [{ id: null, args: args.slice(2) }],
      ]),
    ],
    [
      'id and name repeated',
      whole.flatMap(({ id, name, args }, index) => [
        [{ index, id, name, args: args.slice(0, 2) }],
        [{ index, id, name, args: args.slice(2) }],
      ]),
    ],
    [
      'another id for each piece',
      whole.flatMap(({ id, name, args }, index) => [
        [{ index, id, name, args: args.slice(0, 2) }],
        [{ index, id: `${id}2`, args: args.slice(2) }],
      ]),
    ],
    [
      'interleaved',
      [
        whole.map((call, index) => ({ ...call, index, args: call.args.slice(0, 2) })),
        whole.map((call, index) => ({ index, args: call.args.slice(2) })),
      ],
    ],
    [
      'one index, interleaved by id',
      [
        ...whole.map((call) => [{ ...call, index: 0, args: call.args.slice(0, 2) }]),
        ...whole.map(({ id, args }) => [{ index: 0, id, args: args.slice(2) }]),
      ],
    ],
  ]
  for (const [name, deltas] of cases) {
    const { chunks } = normalizeAll(deltas.map((pieces) => delta({ tool_calls: pieces.map(piece) })))
    const calls = mergeChunks(chunks).choices[0]?.message.tool_calls
    const expected = whole.map((call) => ({ id: call.id, function: { name: call.name, arguments: call.args } }))
    assert.deepEqual(calls, expected, name)
    // Clients append ids and names.
    const seen = chunks.flatMap(({ choices }) => (choices[0]?.delta.tool_calls ?? []) as { id?: string }[])
    assert.equal(seen.filter(({ id }) => id !== undefined).length, whole.length, name)
  }
})

test('calls without ids are told apart by their names and ends, and get ids', () => {
  const cases: [name: string, deltas: Piece[][]][] = [
    ['names differ', [[{ index: 0, name: 'f', args: '{"x":1}' }], [{ index: 0, name: 'g', args: '{}' }]]],
    ['one name, no index', [[{ name: 'f', args: '{"x":1}' }], [{ name: 'f', args: '{}' }]]],
    [
      'one chunk, no index',
      [
        [
          { name: 'f', args: '{"x":1}' },
          { name: 'f', args: '{}' },
        ],
      ],
    ],
    [
      'parsed arguments',
      [
        [
          { name: 'f', args: { x: 1 } },
          { name: 'f', args: {} },
        ],
      ],
    ],
  ]
  for (const [name, deltas] of cases) {
    const { chunks } = normalizeAll(deltas.map((pieces) => delta({ tool_calls: pieces.map(piece) })))
    const calls = mergeChunks(chunks).choices[0]?.message.tool_calls as { id: string; function: Fields }[]
    assert.deepEqual(
      calls.map((call) => call.function.arguments),
      ['{"x":1}', '{}'],
      name,
    )
    assert.equal(new Set(calls.map(({ id }) => id)).size, 2, name)
  }
})

test('many calls cost time in proportion to their number', () => {
  const count = 50_000
  const pieces = Array.from({ length: count }, (_, index) => piece({ index, id: `c${index}`, name: 'f', args: '{}' }))
  const { chunks } = normalizeAll([delta({ tool_calls: pieces })])
  assert.equal(mergeChunks(chunks).choices[0]?.message.tool_calls?.length, count)
})

test('empty values are absent ones when chunks are merged', () => {
  const completion = mergeChunks([
    { id: '', object: 'chat.completion.chunk', created: 0, model: '', choices: [] },
    {
      id: 'c',
      object: 'chat.completion.chunk',
      created: 7,
      model: 'm',
      choices: [],
      system_fingerprint: 'fp',
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    },
    {
      id: '',
      object: 'chat.completion.chunk',
      created: 0,
      model: '',
      choices: [],
      system_fingerprint: '',
      usage: {} as never,
    },
  ])
  assert.deepEqual(
    [
      completion.id,
      completion.created,
      completion.model,
      completion.system_fingerprint,
      completion.usage?.total_tokens,
    ],
    ['c', 7, 'm', 'fp', 3],
  )
})

test('text and lists of parts are merged to a list when a part is no text', () => {
  const image = { type: 'image_url', image_url: { url: 'data:' } }
  const { chunks } = normalizeAll([delta({ content: 'a' }), delta({ content: [image] }), delta({ content: 'b' })])
  assert.deepEqual(mergeChunks(chunks).choices[0]?.message.content, [
    { type: 'text', text: 'a' },
    image,
    { type: 'text', text: 'b' },
  ])
})

test('a completion gets the documented form, and one that has it is not changed', () => {
  const usual = {
    ...HEADER,
    object: 'chat.completion',
    choices: [
      { index: 0, message: { role: 'assistant', content: 'a', refusal: null }, finish_reason: 'stop', logprobs: null },
      {
        index: 1,
        message: {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'x', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        finish_reason: 'tool_calls',
      },
    ],
    usage: { prompt_tokens: 1 },
  }
  assert.equal(normalizeCompletion(structuredClone(usual), createId)?.isChanged, false)
  const message = { role: 'assistant', content: 'a' }
  const cases: [value: unknown, expected: unknown][] = [
    [[{ message, finish_reason: '' }], [{ index: 0, message, finish_reason: null }]],
    [{ message, finish_reason: 'stop' }, [{ index: 0, message, finish_reason: 'stop' }]],
    [[null, { index: 0, delta: message, finish_reason: 'stop' }], [{ index: 0, message, finish_reason: 'stop' }]],
    [[{ index: 0, message: 'a', finish_reason: 'stop' }], [{ index: 0, message, finish_reason: 'stop' }]],
    [[{ index: 0, message: null }], [{ index: 0, message: { content: null, role: 'assistant' }, finish_reason: null }]],
    [
      [{ index: 0, message: { role: '', content: [{ type: 'text', text: 'a' }] }, finish_reason: null }],
      [{ index: 0, message, finish_reason: null }],
    ],
  ]
  for (const [choices, expected] of cases) {
    const result = normalizeCompletion({ ...HEADER, choices: structuredClone(choices) }, createId)
    assert.deepEqual(result?.completion.choices, expected)
    assert.equal(result?.isChanged, true)
  }
  for (const choices of [undefined, null, [], {}.constructor.name, [null], 5]) {
    assert.equal(normalizeCompletion({ ...HEADER, choices }, createId), undefined)
  }
})
