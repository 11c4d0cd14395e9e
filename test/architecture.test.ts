import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

/*
 * Rules about the source itself: import direction, cycles, file names, plain language, and where time, chance and the
 * environment may be used. The reasons are in docs/internals/architecture.md and style.md.
 */

const SELF = 'test/architecture.test.ts'
const root = resolve(import.meta.dirname, '..')
const library = 'packages/purser/src'
const sources = globSync('packages/*/src/**/*.{ts,tsx}', { cwd: root }).toSorted()
const tests = globSync('{test,packages/*/test,bench,examples,scripts}/**/*.ts', {
  cwd: root,
  exclude: (path) => path.includes('node_modules'),
}).toSorted()
const text = (path: string): string => readFileSync(join(root, path), 'utf8')
const lines = (path: string): string[] => text(path).split('\n')

/** Lines of these files that match, as `path:line: text`. */
function matches(paths: readonly string[], pattern: RegExp, prepare = (line: string): string => line): string[] {
  return paths
    .flatMap((path) => lines(path).map((line, index) => ({ line, at: `${path}:${index + 1}` })))
    .filter(({ line }) => pattern.test(prepare(line)))
    .map(({ line, at }) => `${at}: ${line.trim()}`)
}

/** Relative imports of a file, type imports included. */
function importsOf(path: string): string[] {
  const statements = text(path).matchAll(/^(?:import|export)\b[^'"]*?from\s+['"](\.[^'"]+)['"]/gms)
  return Array.from(statements, ([, target = '']) => relative(root, resolve(root, dirname(path), target)))
}

/** Modules of the library, lowest layer first. A module imports itself, lower layers, and within the lowest one all. */
const LIBRARY_LAYERS: readonly (readonly string[])[] = [
  ['core', 'errors', 'templates', 'version'],
  ['storage', 'openai'],
  ['options'],
  ['journal', 'drivers', 'testing'],
  ['ledger', 'runtime', 'context', 'answers'],
  ['turn', 'ai-sdk'],
  ['providers', 'mcp'],
  ['user', 'vocabulary', 'open-store', 'instances', 'event-log'],
  ['purser'],
  ['copy-store'],
  ['index', 'internal'],
]

/** Folders and files of the Deck, lowest layer first. */
const DECK_LAYERS: readonly (readonly string[])[] = [
  ['format-number'],
  ['browser'],
  ['time'],
  ['api'],
  ['components'],
  ['layout'],
  ['pages'],
  ['app'],
  ['main'],
]

function upwardImports(folder: string, layers: readonly (readonly string[])[]): string[] {
  const moduleOf = (path: string): string =>
    relative(folder, path)
      .split('/')[0]
      ?.replace(/(-schema)?\.tsx?$/, '') ?? ''
  const layerOf = (path: string): number => layers.findIndex((modules) => modules.includes(moduleOf(path)))
  const files = sources.filter((path) => path.startsWith(folder) && !path.endsWith('.d.ts'))
  for (const path of files) assert.notEqual(layerOf(path), -1, `${path} is in a module without a layer`)
  return files
    .flatMap((path) => importsOf(path).map((target) => ({ path, target })))
    .filter(({ path, target }) => moduleOf(target) !== moduleOf(path))
    .filter(
      ({ path, target }) =>
        layerOf(target) > layerOf(path) || (layerOf(target) === layerOf(path) && layerOf(path) !== 0),
    )
    .map(({ path, target }) => `${path} imports ${target}`)
}

test('modules of the library and of the Deck import lower layers only', () => {
  assert.deepEqual(upwardImports(library, LIBRARY_LAYERS), [])
  assert.deepEqual(upwardImports('packages/deck/src', DECK_LAYERS), [])
})

test('the server and the Deck import the library by its package name only', () => {
  const violations = sources
    .filter((path) => path.startsWith('packages/server') || path.startsWith('packages/deck'))
    .flatMap((path) => importsOf(path).map((target) => ({ path, target })))
    .filter(({ path, target }) => !target.startsWith(path.split('/').slice(0, 2).join('/')))
  assert.deepEqual(violations, [])
})

test('no files import each other in a cycle, type imports included', () => {
  const imports = new Map(sources.map((path) => [path, importsOf(path)]))
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start !== -1) cycles.push([...trail.slice(start), path].join(' -> '))
    if (start !== -1 || done.has(path)) return
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of sources) visit(path, [])
  assert.deepEqual(cycles, [])
})

test('no style sheet has more than 250 lines', () => {
  const sheets = globSync('packages/*/src/**/*.css', { cwd: root })
  assert.deepEqual(
    sheets.filter((path) => lines(path).length > 250),
    [],
  )
})

test('no file or folder has a name without meaning', () => {
  const empty = /(^|[/.-])(utils?|helpers?|common|misc|shared|types|managers?|services?)([/.-]|$)/
  const violations = [...sources, ...tests].filter((path) =>
    empty.test(path.replace(/^packages\/[a-z]+\//, '').replace(/\.tsx?$/, '')),
  )
  assert.deepEqual(violations, [])
})

test('clocks, chance, timers and the environment are used in one file of each package', () => {
  const uses =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\(|\bset(Timeout|Interval|Immediate)\(|\bprocess\.env\b/
  const allowed = new Set([
    `${library}/core/effects.ts`,
    `${library}/testing/hand-clock.ts`,
    'packages/server/src/main.ts',
    'packages/deck/src/browser/effects.ts',
  ])
  const withoutComments = (line: string): string => line.replace(/\/\/.*|\*.*/, '')
  assert.deepEqual(
    matches(
      sources.filter((path) => !allowed.has(path)),
      uses,
      withoutComments,
    ),
    [],
  )
})

test('no type check is switched off and no work is left for later', () => {
  const pattern =
    /@ts-(ignore|nocheck|expect-error)|\bas any\b|: any(\[\])?\s*([,;)=}|&]|$)|<any>|\bTODO\b|\bFIXME\b|\bXXX\b/
  const code = (line: string): string => line.replace(/^\s*(\/\*)?\*(?! *@ts).*/, '')
  assert.deepEqual(
    matches(
      [...sources, ...tests].filter((path) => path !== SELF),
      pattern,
      code,
    ),
    [],
  )
})

test('tests do not sleep, are not singled out, and are skipped only for a missing browser or server', () => {
  const pattern = /\b(test|it|describe)\.(skip|only|todo)\b|\bskip:\s*(?!\s|no[A-Z])|timers\/promises/
  const files = tests.filter((path) => path.endsWith('.test.ts') && path !== SELF)
  assert.deepEqual(matches(files, pattern), [])
})

/** Words that hide the technical term. Each with its inflections; the standard terms are in names and documents. */
const BANNED_WORDS =
  'houses? halls? rooms? storeys? shelf shelves place(s|d)? placing passages? leash(es)? errands? patience doors? ' +
  'flights? board(s|ed|ing)? land(s|ed|ing)? bring(s|ing)? brought passengers? lanes? crowd(s|ed)? victims? fleets? ' +
  'wish(es|ed)? farewells? furnish(es|ed)? heed(s|ed|ing)? nobody whoever somebody everybody aboard mend(s|ed|ing)?'

test('names, comments, messages and documents use no metaphors and no people for processes', () => {
  const words = BANNED_WORDS.split(' ').join('|')
  // Also as a part of a compound name, in camel case, snake case or with hyphens.
  const lower = new RegExp(`(?<![a-z])(${words})(?![a-z])`)
  const upper = new RegExp(`(?<![A-Z])(${words.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())})(?![a-z])`)
  const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n')
  const texts = tracked.filter((path) => /\.(tsx?|mjs|md|css|html|json|yml)$/.test(path) && !/package-lock/.test(path))
  const files = texts.filter((path) => path !== SELF && path !== 'docs/internals/style.md')
  // "Single-flight" is the standard term for calls that callers share.
  const withoutTerms = (line: string): string => line.replace(/single-?flight/gi, '')
  const found = matches(files, new RegExp(`${lower.source}|${upper.source}`), withoutTerms)
  assert.deepEqual(found, [])
})

/** Fields of stored formats. */
const STORED_NAMES = new Set(['firstKept', 'mcp_authorization_kept'])
/** A field of the receipt of a context. */
const RECEIPT_FILES = /src\/context\/(api|explain)\.ts$|(explain|consent|management)\.test\.ts$/

test('no identifier is called given, told or kept', () => {
  const pattern = /(?<![a-zA-Z])(given|told|kept)(?![a-z])|(?<=[a-z0-9_])(Given|Told|Kept)(?![a-z])/
  const identifiers = (line: string): string =>
    line
      .replace(/^import .*decide-spec.*|\/\/.*|^\s*(\/\*)?\*.*|\/\*.*?\*\//g, '')
      .replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g, "''")
      .replace(/\bgiven\(/g, '(')
      .replace(/\w+/g, (name) => (STORED_NAMES.has(name) ? '' : name))
  const files = [...sources, ...tests].filter((path) => path !== SELF)
  const found = matches(files, pattern, identifiers)
  assert.deepEqual(
    found.filter((match) => !(RECEIPT_FILES.test(match.split(':')[0] ?? '') && /\bkept\b/.test(match))),
    [],
  )
})

test('the reference of error codes lists all codes with their meanings', async () => {
  const { ERRORS } = await import('../packages/purser/src/errors.ts')
  const rows = text('docs/reference/errors.md').matchAll(/^\| `([a-z_]+)` \| (.+) \| (yes|no) \|$/gm)
  const documented = [...rows].map(([, code, meaning, retryable]) => ({
    code,
    meaning,
    retryable: retryable === 'yes',
  }))
  assert.deepEqual(
    documented,
    Object.entries(ERRORS).map(([code, { retryable, meaning }]) => ({ code, meaning, retryable })),
  )
})

test('the tables of the reference and the types of the API are those of the source', async () => {
  const { pages } = await import('../scripts/reference.ts')
  for (const { path, content, expected } of await pages())
    assert.equal(content, expected, `${path}: run npm run reference.`)
})
