import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ACCESS } from '../../src/auth/roles.ts'
import { SERVER_DEFAULTS } from '../../src/config/schema.ts'
import { SETTINGS } from '../../src/config/settings.ts'

const page = readFileSync(new URL('../../../../docs/reference/server.md', import.meta.url), 'utf8')
const source = globSync('**/*.ts', { cwd: new URL('../../src/', import.meta.url).pathname })
  .map((path) => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8'))
  .join('\n')

function rows(pattern: RegExp): [string, string][] {
  return [...page.matchAll(pattern)].map(([, first = '', second = '']) => [first, second])
}

test('the reference tells the server’s options with the defaults that the code has', () => {
  const documented = Object.fromEntries(rows(/^\| `server\.(\w+)` \| `([^`]*)` \|/gm))
  assert.deepEqual(
    documented,
    Object.fromEntries(
      Object.entries(SERVER_DEFAULTS).map(([name, value]) => [name, JSON.stringify(value) ?? 'undefined']),
    ),
  )
})

test('the reference tells every flag and variable there is', () => {
  assert.deepEqual(
    rows(/^\| `--([\w-]+)` \| `(PURSER_\w+)` \|/gm),
    SETTINGS.map(({ flag, environment }) => [flag, environment]),
  )
})

test('the reference tells every kind of access with its roles', () => {
  const { public: _, known: __, ...kinds } = ACCESS
  const documented = rows(/^\| ([a-z:]+) \| ([a-z, ]+) \| /gm).filter(([access]) => Object.hasOwn(kinds, access))
  assert.deepEqual(
    Object.fromEntries(documented),
    Object.fromEntries(Object.entries(kinds).map(([access, roles]) => [access, roles.join(', ')])),
  )
})

test('every code the server makes up itself is in the reference', () => {
  const made = [...source.matchAll(/new HttpError\((?:\d{3}|statusCode), '(\w+)'/g)].map(([, code = '']) => code)
  const listed = rows(/^\| `([a-z_]+)` \| ([\d, ]+) \|/gm).map(([code]) => code)
  const ofTheLibrary = ['closed', 'idempotency_conflict', 'version_conflict']
  const missing = made.filter((code) => !listed.includes(code) && !ofTheLibrary.includes(code))
  assert.deepEqual(missing, [])
  assert.ok(made.length > 8)
})
