import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeEnv, expandEnv } from '../../src/core/env.ts'
import { openPurser, PurserError } from '../../src/index.ts'

const environment = { KEY: 'k1', ODD: 'a$' + '{KEY}b' }
const named = (name: string): string => `\${${name}}`

test('a named variable is filled in, wherever it stands, and what was filled in is left as it is', () => {
  const filled: string[] = []
  const value = { a: [`x-${named('KEY')}`, { b: named('ODD') }], c: 1, d: null, e: `$${named('KEY')}` }
  assert.deepEqual(expandEnv(value, { environment, onExpand: (path) => filled.push(path.join('.')) }), {
    a: ['x-k1', { b: environment.ODD }],
    c: 1,
    d: null,
    e: named('KEY'),
  })
  assert.ok(filled.includes('a.0') && filled.includes('a.1.b'))
})

test('every missing variable is named with its place', () => {
  assert.throws(
    () => expandEnv({ a: named('NOPE'), b: [named('NOR')] }, { environment }),
    (error: unknown) =>
      PurserError.is(error, 'option_invalid') && /a needs \$NOPE; b\.0 needs \$NOR/.test(error.message),
  )
})

test('what was expanded before can be kept from being expanded again', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a') }), (text) => {
      assert.equal(expandEnv(escapeEnv(text), { environment: {} }), text)
    }),
  )
})

test('functions and objects of a class are passed on untouched', () => {
  const source = (): null => null
  const url = new URL('http://127.0.0.1/')
  const expanded = expandEnv({ source, url }, { environment })
  assert.equal(expanded.source, source)
  assert.equal(expanded.url, url)
})

test('openPurser fills in providers, MCP servers and sources, and names what is missing', async () => {
  const absent = named('PURSER_TEST_ABSENT')
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
