import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type CacheableRequest, cacheableValue, createKeyHash, type KeyInput } from '../../src/answers/cache-key.ts'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { createSubject } from '../../src/core/subject.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import { alice, keys } from '../support/answers-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

printSeed('answer keys')

const BASE: KeyInput = { kind: 'value', scope: 'user', user: alice, incarnation: 1, value: { q: 'x' } }
const keyOf = (parts: Partial<KeyInput>, hashKey = createKeyHash(keys)): string => {
  const key = hashKey({ ...BASE, ...parts })
  assert.ok(typeof key === 'string')
  return key
}
const turnKey = (parts: Partial<CacheableRequest>): string =>
  keyOf({ kind: 'turn', value: cacheableValue({ ...TURN, ...parts }) })

const REQUEST: ChatRequest & { some_future_field: object } = {
  model: 'alias',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Hello?' }], name: 'n' },
  ],
  temperature: 0.5,
  top_p: 1,
  seed: 7,
  stop: ['a', 'b'],
  tools: [
    {
      type: 'function',
      function: { name: 'f', parameters: { type: 'object', properties: { a: { type: 'string' } } } },
    },
  ],
  response_format: { type: 'json_schema', json_schema: { name: 's', schema: { required: ['a'] } } },
  metadata: { topic: 'x', language: 'en', user_id: 'u', trace_id: 't' },
  some_future_field: { deep: [1, { deeper: null }] },
  stream: true,
  stream_options: { include_usage: true },
  user: 'u',
  safety_identifier: 'u',
}
const TURN: CacheableRequest = {
  request: REQUEST,
  target: { provider: 'local', model: 'm', region: null, deployment: null, baseURL: null },
  context: 'digest',
}

type Mutation = readonly [path: string, changed: unknown]

/** All changes of one value at any depth: another value, a missing or additional member, a longer or reversed list. */
function mutations(value: unknown, path: string): Generator<Mutation> {
  if (Array.isArray(value)) return listMutations(value, path)
  if (typeof value === 'object' && value !== null) return objectMutations(value as Record<string, unknown>, path)
  return scalarMutations(value, path)
}

function* listMutations(list: readonly unknown[], path: string): Generator<Mutation> {
  if (list.length > 1) yield [`${path} reversed`, list.toReversed()]
  yield [`${path} longer`, [...list, null]]
  for (const [index, item] of list.entries())
    for (const [where, changed] of mutations(item, `${path}[${index}]`)) yield [where, list.with(index, changed)]
}

function* objectMutations(object: Record<string, unknown>, path: string): Generator<Mutation> {
  yield [`${path} with one more`, { ...object, 'one more': 1 }]
  for (const [name, item] of Object.entries(object)) {
    const { [name]: _, ...rest } = object
    yield [`${path} without ${name}`, rest]
    for (const [where, changed] of mutations(item, `${path}.${name}`)) yield [where, { ...object, [name]: changed }]
  }
}

function* scalarMutations(value: unknown, path: string): Generator<Mutation> {
  yield [path, value === null ? 'null' : null]
  yield [`${path} as text in a list`, [String(value)]]
}

const IGNORED =
  /^request(\.| without )(model|stream|stream_options|user|safety_identifier)\b|\b(user_id|trace_id)$|(user_id|trace_id) as text/

test('a change of any field of request, target or context changes the key', () => {
  const seen = new Map([[turnKey({}), 'the base']])
  let checked = 0
  for (const part of ['request', 'target', 'context'] as const) {
    for (const [where, changed] of mutations(TURN[part], part)) {
      if (IGNORED.test(where)) continue
      const key = turnKey({ [part]: changed })
      assert.equal(seen.get(key), undefined, `${where} has the key of ${seen.get(key)}`)
      seen.set(key, where)
      checked++
    }
  }
  assert.ok(checked > 100, `${checked} mutations`)
})

test('fields that do not affect the answer do not change the key', () => {
  const same: object[] = [
    { model: 'another alias of the same model' },
    { stream: false },
    { stream: null },
    { stream_options: null },
    { user: 'v' },
    { safety_identifier: 'v' },
    { metadata: { trace_id: 'other', topic: 'x', language: 'en' } },
    { trace_id: 't', request_id: 'r' },
    { unset: undefined },
  ]
  for (const change of same) assert.equal(turnKey({ request: { ...REQUEST, ...change } }), turnKey({}))
  const { metadata: _, ...bare } = REQUEST
  assert.equal(turnKey({ request: { ...bare, metadata: { user_id: 'u' } } }), turnKey({ request: bare }))
})

test('the key covers kind, scope, namespace, user and incarnation (CM-D05)', () => {
  const all = [
    keyOf({}),
    keyOf({ kind: 'turn' }),
    keyOf({ scope: 'namespace' }),
    keyOf({ incarnation: 2 }),
    keyOf({ user: createSubject('default', 'bob') }),
    keyOf({ user: createSubject('defaul', 'talice') }),
    keyOf({ user: createSubject('other', 'alice') }),
    keyOf({}, createKeyHash(createKeyring(Buffer.alloc(32, 8)))),
  ]
  assert.equal(new Set(all).size, all.length)
  assert.equal(
    keyOf({ scope: 'namespace' }),
    keyOf({ scope: 'namespace', user: createSubject('default', 'bob'), incarnation: 3 }),
  )
})

test('canonical JSON is the same for any order of object keys at any depth, and preserves the order of lists', () => {
  const shuffled = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shuffled)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([name, item]) => [name, shuffled(item)]),
          )
        : value
  const json = fc.jsonValue({ maxDepth: 4 })
  fc.assert(
    fc.property(json, (value) => {
      assert.equal(canonicalJson(shuffled(value)), canonicalJson(value))
      assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: rounds(100_000, 2_000), seed },
  )
})

test('different splits of one text into namespace, id and value have different keys (CM-D05)', () => {
  // Short texts of separator characters: all splits of one text into namespace, id and value.
  const text = fc.string({
    unit: fc.constantFrom('a', ':', '|', '"', ',', '1', '{', '\\', '\u0000', '\ud800'),
    minLength: 3,
    maxLength: 9,
  })
  const seen = new Map<string, string>()
  let pairs = 0
  fc.assert(
    fc.property(text, (whole) => {
      for (let a = 1; a < whole.length - 1; a++) {
        for (let b = a + 1; b < whole.length; b++) {
          const parts = [whole.slice(0, a), whole.slice(a, b), whole.slice(b)] as const
          const key = keyOf({ user: { namespace: parts[0], id: parts[1].toWellFormed() }, value: parts[2] })
          const name = JSON.stringify([parts[0].toWellFormed(), parts[1].toWellFormed(), parts[2]])
          assert.equal(seen.get(key) ?? name, name)
          if (seen.size < 50_000) seen.set(key, name)
          pairs++
        }
      }
    }),
    { numRuns: rounds(100_000, 1_000), seed },
  )
  assert.ok(pairs >= rounds(1_000_000, 5_000), `${pairs} concatenations`)
})

test('texts that differ only in lone surrogates have different keys (CM-D11)', () => {
  assert.notEqual(keyOf({ value: '\ud800' }), keyOf({ value: '\ud801' }))
  assert.notEqual(keyOf({ value: '\ud800' }), keyOf({ value: '\ufffd' }))
  assert.notEqual(keyOf({ value: '\ud800' }), keyOf({ value: '\\ud800' }))
})
