import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasForbiddenName, mayHideNames } from '../../src/http/forbidden-names.ts'

const FORBIDDEN = [
  '{"__proto__":1}',
  '{"__proto__":null}',
  '{"a":{"__proto__":{"polluted":1}}}',
  '[[{"__proto__":[]}]]',
  '{"\\u005f_proto\\u005f\\u005f":1}',
  '{"\\u005f\\u005fproto\\u005F_":1}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"a":[{"constructor":{"prototype":1}}]}'.replaceAll('o', '\\u006f'),
]
const ALLOWED = [
  'null',
  '1',
  '"__proto__"',
  '["__proto__","constructor"]',
  '{"a":"__proto__ and constructor"}',
  '{"constructor":1}',
  '{"constructor":null}',
  '{"constructor":{"name":"x"}}',
  '{"prototype":{}}',
  '{"toString":1,"hasOwnProperty":{},"valueOf":[]}',
]

test('members that would change a prototype are found at any depth and behind escapes', () => {
  for (const text of FORBIDDEN) assert.ok(mayHideNames(text) && hasForbiddenName(JSON.parse(text)), text)
  for (const text of ALLOWED) assert.ok(!hasForbiddenName(JSON.parse(text)), text)
})

test('deep and wide values are searched without recursion', () => {
  const deep = JSON.parse(`${'{"a":'.repeat(1_000)}{"__proto__":1}${'}'.repeat(1_000)}`)
  assert.ok(hasForbiddenName(deep))
  assert.ok(!hasForbiddenName(Array.from({ length: 100_000 }, () => ({}))))
})
