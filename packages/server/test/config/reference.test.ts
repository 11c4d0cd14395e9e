import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SCOPE_ROLES } from '../../src/auth/scopes.ts'

const page = readFileSync(new URL('../../../../docs/reference/server.md', import.meta.url), 'utf8')
const source = globSync('**/*.ts', { cwd: new URL('../../src/', import.meta.url).pathname })
  .map((path) => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8'))
  .join('\n')

function rows(pattern: RegExp): [string, string][] {
  return [...page.matchAll(pattern)].map(([, first = '', second = '']) => [first, second])
}

test('the reference lists every scope with its roles', () => {
  const { public: _, authenticated: __, ...scopes } = SCOPE_ROLES
  const documented = rows(/^\| `([a-z:]+)` \| ([a-z, ]+) \| /gm).filter(([scope]) => Object.hasOwn(scopes, scope))
  assert.deepEqual(
    Object.fromEntries(documented),
    Object.fromEntries(Object.entries(scopes).map(([scope, roles]) => [scope, roles.join(', ')])),
  )
})

test('the reference lists every error code that only the server uses', () => {
  const used = [...source.matchAll(/new HttpError\((?:\d{3}|statusCode), '(\w+)'/g)].map(([, code = '']) => code)
  const listed = rows(/^\| `([a-z_]+)` \| ([\d, ]+) \|/gm).map(([code]) => code)
  const libraryCodes = ['closed', 'idempotency_conflict', 'version_conflict']
  const missing = used.filter((code) => !listed.includes(code) && !libraryCodes.includes(code))
  assert.deepEqual(missing, [])
  assert.ok(used.length > 8)
})
