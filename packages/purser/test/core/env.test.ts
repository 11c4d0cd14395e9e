import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeEnv, expandEnv } from '../../src/core/env.ts'
import { openPurser, PurserError } from '../../src/index.ts'

const environment = { KEY: 'k1', ODD: 'a$' + '{KEY}b' }
const reference = (name: string): string => `\${${name}}`

test('variables are expanded at any depth, and expanded text is not expanded again', () => {
  const expanded: string[] = []
  const value = { a: [`x-${reference('KEY')}`, { b: reference('ODD') }], c: 1, d: null, e: `$${reference('KEY')}` }
  assert.deepEqual(expandEnv(value, { environment, onExpand: (path) => expanded.push(path.join('.')) }), {
    a: ['x-k1', { b: environment.ODD }],
    c: 1,
    d: null,
    e: reference('KEY'),
  })
  assert.ok(expanded.includes('a.0') && expanded.includes('a.1.b'))
})

test('every missing variable is reported with its path', () => {
  assert.throws(
    () => expandEnv({ a: reference('NOPE'), b: [reference('NOR')] }, { environment }),
    (error: unknown) =>
      PurserError.is(error, 'option_invalid') && /a needs \$NOPE; b\.0 needs \$NOR/.test(error.message),
  )
})

test('an escaped value expands to itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a') }), (text) => {
      assert.equal(expandEnv(escapeEnv(text), { environment: {} }), text)
    }),
  )
})

test('functions and class instances are passed on unchanged', () => {
  const source = (): null => null
  const url = new URL('http://127.0.0.1/')
  const expanded = expandEnv({ source, url }, { environment })
  assert.equal(expanded.source, source)
  assert.equal(expanded.url, url)
})

test('openPurser expands providers, MCP servers and sources, and reports missing variables', async () => {
  const absent = reference('PURSER_TEST_ABSENT')
  for (const options of [
    { providers: { a: { kind: 'demo' as const, apiKey: absent } } },
    { mcpServers: { a: { url: 'http://127.0.0.1/', headers: { authorization: absent } } } },
    { context: { sources: { profile: { url: 'http://127.0.0.1/', headers: { authorization: absent } } } } },
  ]) {
    await assert.rejects(
      openPurser({ store: 'memory:', ...options }),
      (error: unknown) => PurserError.is(error, 'option_invalid') && /\$PURSER_TEST_ABSENT/.test(error.message),
    )
  }
})
