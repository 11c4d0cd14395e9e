import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PROVIDER_KINDS, PROVIDER_SPECS } from '../packages/purser/src/options/provider-config.ts'
import { ROOT, readPage } from './support/pages.ts'

/*
 * Pages of the reference that are written by hand, compared with the source in both directions: what the source has is on the
 * page, and the page has nothing else. The generated ones are compared in `architecture.test.ts`.
 */

const LIBRARY = 'packages/purser/src'
const SERVER = 'packages/server/src'

function readSources(...patterns: readonly string[]): string {
  const files = globSync([...patterns], { cwd: ROOT }).filter((path) => !path.includes('/testing/'))
  return files.map((path) => readFileSync(join(ROOT, path), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')).join('\n')
}

function find(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].flatMap(([, ...groups]) => groups.filter((group) => group !== undefined))
}

const unique = (names: readonly string[]): string[] => [...new Set(names)].toSorted()

/** Names in the first column of the tables whose header begins with `header`. */
function firstColumn(page: string, header: string): string[] {
  const tables = readPage(page)
    .split('\n\n')
    .filter((block) => block.startsWith(`| ${header}`))
  return tables.flatMap((table) =>
    table
      .split('\n')
      .slice(2)
      .flatMap((row) => find(row.split('|')[1] ?? '', /`([^`]+)`/g)),
  )
}

test('the page of events has every type and every action of the source, and no other', () => {
  const library = readSources(`${LIBRARY}/**/*.ts`)
  const server = readSources(`${SERVER}/**/*.ts`)
  const types = find(library, /\btype: '([a-z_]+)',\s*detail\b/g)
  assert.ok(types.length > 10)
  assert.deepEqual(unique(firstColumn('docs/reference/events.md', 'type')), unique(types))

  const actions = [
    ...find(library, /\b(?:adminAction|sessionEvent)\('([a-z_]+)'/g),
    ...find(library, /\baction: (?:[^,'\n]+\? '([a-z_]+)' : )?'([a-z_]+)'/g),
    ...find(server, /\brecordAudit\('([a-z_]+)'/g),
    ...find(server, /\baction: '([a-z_]+)'(?: \| '([a-z_]+)')?/g),
  ]
  assert.ok(actions.length > 20)
  assert.deepEqual(unique(firstColumn('docs/reference/events.md', 'action')), unique(actions))
})

test('the page of headers has every header of the source, and no other', () => {
  // `content-filter` is a finish reason.
  const standard = new Set([
    'content-type',
    'content-length',
    'content-disposition',
    'content-encoding',
    'content-filter',
  ])
  const source = readSources(`${SERVER}/**/*.ts`, `${LIBRARY}/openai/*.ts`, `${LIBRARY}/turn/*.ts`)
  const named =
    /['"`]((?:x|content|cross-origin|referrer|webhook|anthropic|idempotency|idempotent|retry|if|last-event)-[a-z-]+|authorization|etag)['"`]/g
  const headers = find(source, named).filter((name) => !standard.has(name) && !name.endsWith('-'))
  assert.ok(headers.length > 20)
  const page = readPage('docs/reference/headers.md')
  const documented = find(page, /`([a-z]+(?:-[a-z]+)+|authorization|etag)`/g)
  const ofClients = ['anthropic-version']
  assert.deepEqual(unique(documented), unique(headers.filter((name) => !ofClients.includes(name))))
})

test('the index of the documentation leads to every page', () => {
  const pages = globSync('docs/**/*.md', { cwd: ROOT }).filter((page) => page !== 'docs/index.md')
  const linked = find(readPage('docs/index.md'), /\]\(([^)#]+\.md)/g).map((path) => join('docs', path))
  assert.deepEqual(unique(linked), pages.toSorted())
})

test('the fields of providers are those of each kind, and no other', () => {
  const page = 'docs/reference/options.md'
  const common = Object.keys(PROVIDER_SPECS.google).filter((name) =>
    PROVIDER_KINDS.every((kind) => name in PROVIDER_SPECS[kind]),
  )
  assert.deepEqual(unique(firstColumn(page, 'field of every kind')), unique(common))
  const rows = readPage(page).matchAll(/^\| `([a-z-]+)` \| (.*) \|(.*)\|$/gm)
  const listed = new Map(
    Array.from(rows, ([, kind, key, further]) => [kind, unique(find(`${key} ${further}`, /`(\w+)(?:: [^`]*)?`/g))]),
  )
  // The first is a setting of users, the second a field of requests.
  const others = ['deployment', 'stream_options', ...common]
  for (const kind of PROVIDER_KINDS.filter((name) => name !== 'demo')) {
    const own = Object.keys(PROVIDER_SPECS[kind]).filter((name) => !common.includes(name))
    assert.deepEqual(
      listed.get(kind)?.filter((name) => !others.includes(name)),
      own.toSorted(),
      kind,
    )
  }
})
