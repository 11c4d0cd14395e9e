import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

/*
 * Rules about the source itself: import direction, file size, file names, and where time, chance and the environment
 * may be used. The reasons are in docs/internals/architecture.md.
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

/**
 * Modules of the library, lowest layer first. A file may import its own module and modules of lower layers; modules of
 * one layer do not import each other, except in the lowest one.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['core', 'errors', 'templates'],
  ['storage', 'openai'],
  ['options'],
  ['journal', 'drivers', 'testing'],
  ['ledger', 'runtime', 'context', 'answers'],
  ['turn', 'ai-sdk'],
  ['providers', 'mcp'],
  ['user'],
  ['purser'],
  ['index', 'internal'],
]
const layerOf = (module: string): number => LAYERS.findIndex((modules) => modules.includes(module))
const moduleOf = (path: string): string =>
  relative(library, path)
    .split('/')[0]
    ?.replace(/(-schema)?\.ts$/, '') ?? ''

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

test('a module of the library imports lower layers only', () => {
  const violations: string[] = []
  for (const path of sources.filter((source) => source.startsWith(library))) {
    const from = moduleOf(path)
    assert.notEqual(layerOf(from), -1, `${path} is in a module without a layer`)
    for (const { target } of importsOf(path)) {
      const to = moduleOf(target)
      if (to === from || layerOf(to) < layerOf(from) || (layerOf(to) === 0 && layerOf(from) === 0)) continue
      violations.push(`${path} imports ${target}`)
    }
  }
  assert.deepEqual(violations, [])
})

test('the server and the Deck use the library only through its face', () => {
  const faults = sources
    .filter((path) => path.startsWith('packages/server') || path.startsWith('packages/deck'))
    .flatMap((path) => importsOf(path).map(({ target }) => ({ path, target })))
    .filter(({ path, target }) => !target.startsWith(path.split('/').slice(0, 2).join('/')))
  assert.deepEqual(faults, [])
})

/** Folders and files of the Deck, lowest layer first. Each imports itself and lower layers only. */
const DECK_LAYERS: readonly string[] = [
  'format-number',
  'browser',
  'time',
  'api',
  'components',
  'layout',
  'pages',
  'app',
  'main',
]

test('a folder of the Deck imports lower layers only', () => {
  const folder = 'packages/deck/src'
  const layerOfFile = (path: string): number =>
    DECK_LAYERS.indexOf(
      relative(folder, path)
        .split('/')[0]
        ?.replace(/\.tsx?$/, '') ?? '',
    )
  const violations = sources
    .filter((path) => path.startsWith(folder) && !path.endsWith('.d.ts'))
    .flatMap((path) => importsOf(path).map(({ target }) => ({ path, target })))
    .filter(({ path, target }) => layerOfFile(target) === -1 || layerOfFile(target) > layerOfFile(path))
  assert.deepEqual(violations, [])
})

test('no style sheet has more than 250 lines', () => {
  const sheets = globSync('packages/*/src/**/*.css', { cwd: root })
  assert.deepEqual(
    sheets.filter((path) => lines(path).length > 250),
    [],
  )
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
    `${library}/core/effects.ts`,
    `${library}/testing/hand-clock.ts`,
    'packages/server/src/main.ts',
    'packages/server/src/effects.ts',
    'packages/deck/src/browser/effects.ts',
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
    .filter((path) => path !== 'test/architecture.test.ts')
    .flatMap((path) => lines(path).map((line, index) => ({ place: `${path}:${index + 1}`, line })))
    .filter(({ line }) => typedAway.test(line.replace(/^\s*(\/\*)?\*(?! *@ts).*/, '')))
  assert.deepEqual(faults, [])
})

test('tests do not skip, do not single out and do not sleep', () => {
  const sleepy = /\b(test|it|describe)\.(skip|only|todo)\b|\bskip: *true|timers\/promises/
  const faults = tests
    .filter((path) => path.endsWith('.test.ts') && path !== 'test/architecture.test.ts')
    .flatMap((path) => lines(path).map((line, index) => ({ place: `${path}:${index + 1}`, line })))
    .filter(({ line }) => sleepy.test(line))
  assert.deepEqual(faults, [])
})

test('the reference of error codes lists exactly the codes there are', async () => {
  const { ERRORS } = await import('../packages/purser/src/errors.ts')
  const documented = [...text('docs/reference/errors.md').matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1])
  assert.deepEqual(documented.toSorted(), Object.keys(ERRORS).toSorted())
})

test('the tables of the reference are those of the source', async () => {
  const { pages } = await import('../scripts/reference.ts')
  for (const { path, content, expected } of pages()) assert.equal(content, expected, `${path}: run npm run reference.`)
})
