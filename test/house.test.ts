import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

/*
 * The house keeps itself in order: which room may use which, how large a file may grow, which names say nothing, and
 * where the outside world may be touched. What this test refuses is decided in docs/internals/ARCHITECTURE.md.
 */

const root = resolve(import.meta.dirname, '..')
const library = 'packages/purser/src'
const sources = globSync('packages/*/src/**/*.{ts,tsx}', { cwd: root }).toSorted()
const tests = globSync('{test,packages/*/test,bench,examples}/**/*.ts', {
  cwd: root,
  exclude: (path) => path.includes('node_modules'),
}).toSorted()
const text = (path: string): string => readFileSync(join(root, path), 'utf8')
const lines = (path: string): string[] => text(path).split('\n')

/** Rooms of the library from the ground up. A file may import rooms of lower storeys, and its own room. */
const STOREYS: readonly (readonly string[])[] = [
  [
    'effects',
    'errors',
    'identity',
    'signals',
    'canonical',
    'environment',
    'hmac',
    'keys',
    'options',
    'options-check',
    'redaction',
    'store',
    'model',
    'waiting',
    'underway',
    'wire',
  ],
  ['journal'],
  ['ledger', 'runtime', 'context', 'answers'],
  ['turn'],
  ['user'],
  ['drivers', 'adapters', 'testing'],
  ['open'],
  ['index'],
]
const storeyOf = (room: string): number => STOREYS.findIndex((rooms) => rooms.includes(room))
const roomOf = (path: string): string => relative(library, path).split('/')[0]?.replace(/\.ts$/, '') ?? ''

function importsOf(path: string): { target: string; typeOnly: boolean }[] {
  const found: { target: string; typeOnly: boolean }[] = []
  for (const match of text(path).matchAll(/^(import|export)( type)?[^'"]*?from\s+['"](\.[^'"]+)['"]/gms)) {
    found.push({
      target: relative(root, resolve(root, dirname(path), match[3] ?? '')),
      typeOnly: match[2] !== undefined,
    })
  }
  return found
}

test('a room of the library uses only rooms of lower storeys, and no two parts know each other', () => {
  const faults: string[] = []
  for (const path of sources.filter((source) => source.startsWith(library))) {
    const from = roomOf(path)
    assert.notEqual(storeyOf(from), -1, `${path} is in a room that has no storey`)
    for (const { target, typeOnly } of importsOf(path)) {
      const to = roomOf(target)
      if (to === from) continue
      const words = storeyOf(to) === 0
      // Ports are words as well: the store's port names those of the parts, and drivers fill them.
      const port = typeOnly && target.endsWith('/port.ts') && storeyOf(from) === 0
      if (words || port || storeyOf(to) < storeyOf(from)) continue
      faults.push(`${path} imports ${target}`)
    }
  }
  assert.deepEqual(faults, [])
})

test('the server and the Deck use the library only through its face', () => {
  const faults = sources
    .filter((path) => path.startsWith('packages/server') || path.startsWith('packages/deck'))
    .flatMap((path) => importsOf(path).map(({ target }) => ({ path, target })))
    .filter(({ path, target }) => !target.startsWith(path.split('/').slice(0, 2).join('/')))
  assert.deepEqual(faults, [])
})

test('no source file has more than 300 lines', () => {
  const tooLong = sources.map((path) => ({ path, lines: lines(path).length })).filter((file) => file.lines > 300)
  assert.deepEqual(tooLong, [])
})

test('no file or folder has a name that says nothing', () => {
  const empty = /(^|[/.-])(utils?|helpers?|common|misc|shared|types|managers?|services?)([/.-]|$)/
  const faults = [...sources, ...tests].filter((path) =>
    empty.test(path.replace(/^packages\/[a-z]+\//, '').replace(/\.tsx?$/, '')),
  )
  assert.deepEqual(faults, [])
})

test('clocks, chance, timers and the environment are touched in one place of each package', () => {
  const touches =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\(|\bset(Timeout|Interval|Immediate)\(|\bprocess\.env\b/
  const allowed = new Set([
    `${library}/effects.ts`,
    `${library}/testing/hand-clock.ts`,
    'packages/server/src/main.ts',
    'packages/server/src/effects.ts',
    'packages/deck/src/effects.ts',
  ])
  const faults = sources
    .filter((path) => !allowed.has(path))
    .flatMap((path) => lines(path).map((line, index) => ({ place: `${path}:${index + 1}`, line })))
    .filter(({ line }) => touches.test(line.replace(/\/\/.*|\*.*/, '')))
  assert.deepEqual(faults, [])
})

test('nothing is typed away and nothing is left for later', () => {
  const typedAway =
    /@ts-(ignore|nocheck|expect-error)|\bas any\b|: any(\[\])?\s*([,;)=}|&]|$)|<any>|\bTODO\b|\bFIXME\b|\bXXX\b/
  const faults = [...sources, ...tests]
    .filter((path) => path !== 'test/house.test.ts')
    .flatMap((path) => lines(path).map((line, index) => ({ place: `${path}:${index + 1}`, line })))
    .filter(({ line }) => typedAway.test(line.replace(/^\s*(\/\*)?\*(?! *@ts).*/, '')))
  assert.deepEqual(faults, [])
})

test('tests do not skip, do not single out and do not sleep', () => {
  const sleepy = /\b(test|it|describe)\.(skip|only|todo)\b|\bskip: *true|timers\/promises/
  const faults = tests
    .filter((path) => path.endsWith('.test.ts') && path !== 'test/house.test.ts')
    .flatMap((path) => lines(path).map((line, index) => ({ place: `${path}:${index + 1}`, line })))
    .filter(({ line }) => sleepy.test(line))
  assert.deepEqual(faults, [])
})

test('the reference of error codes lists exactly the codes there are', async () => {
  const { ERRORS } = await import('../packages/purser/src/errors.ts')
  const documented = [...text('docs/reference/errors.md').matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1])
  assert.deepEqual(documented.toSorted(), Object.keys(ERRORS).toSorted())
})

test('the reference of options tells the defaults that the code has', async () => {
  const { DEFAULTS } = await import('../packages/purser/src/options.ts')
  const documented = Object.fromEntries(
    [...text('docs/reference/options.md').matchAll(/^\| `([\w.]+)` \| `([^`]*)` \|/gm)].map(([, name, value]) => [
      name,
      value,
    ]),
  )
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const entries =
      typeof value === 'object'
        ? Object.entries(value as object).map(([key, inner]) => [`${name}.${key}`, inner])
        : [[name, value]]
    for (const [path, inner] of entries)
      assert.equal(documented[path as string], JSON.stringify(inner) ?? 'undefined', path as string)
  }
})
