import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it, test } from 'node:test'
import { PROVIDER_KINDS } from '../packages/purser/src/options/provider-config.ts'
import { checkConfig } from '../packages/server/src/config/check.ts'
import { createServer } from '../packages/server/src/index.ts'
import { type CommandLine, commandsIn, findCommandProblem } from './support/commands.ts'
import { expectedStatus, toRequest } from './support/curl.ts'
import { blocksIn, PAGES, ROOT, readBlocks, readPage } from './support/pages.ts'
import { KEYS, Programs } from './support/programs.ts'

/*
 * The documentation is executable. In README.md, docs/start.md and docs/guides:
 *
 * - A `ts` block is a complete program. It runs in a directory of its own, and each line it prints is expected by a
 *   comment `// → TEXT` in it, in order; `…` stands for any text, and alone in the last comment for all lines that are
 *   left. A word after `ts` starts servers:
 *     gateway  `purser serve` on http://127.0.0.1:7117, with PURSER_SERVICE_KEY and PURSER_ADMIN_KEY in the environment
 *     mcp      an MCP server on http://127.0.0.1:3001/mcp, one with OAuth on http://127.0.0.1:3002/mcp, and its
 *              authorization server on http://127.0.0.1:3003, which consents at once
 *   The servers listen on free ports; the addresses are replaced in the program.
 * - A `json` block is a configuration file.
 * - In a `sh` block, `purser` and npm commands exist with their flags, and `curl` commands are sent to a server, one
 *   server a page. They succeed, or end with the status in a comment `# → 429`.
 * - A `text` block is anything else, and not tested.
 */

/** `bash way`: the commands of deployment-way.test.ts. */
const LANGUAGES = ['ts', 'json', 'sh', 'bash', 'text']
const SERVER_WORDS = ['gateway', 'mcp']
const WORDS = [...SERVER_WORDS, 'way']

test('every block has a language and words that are known', () => {
  const problems = PAGES.flatMap(readBlocks)
    .filter(({ language, words }) => !LANGUAGES.includes(language) || words.some((word) => !WORDS.includes(word)))
    .map(({ page, line, language, words }) => `${page}:${line - 1}: ${[language, ...words].join(' ')}`)
  assert.deepEqual(problems, [])
})

test('every file that docs/internals names exists', () => {
  const roots = ['', 'packages/', 'packages/purser/', 'packages/purser/src/', 'packages/purser/src/drivers/sqlite/']
  const folders = [
    ...roots,
    'packages/server/src/',
    'packages/server/test/',
    'packages/deck/src/',
    'packages/purser/src/context/',
  ]
  const names = globSync('packages/*/{src,test}/**/*.{ts,tsx}', { cwd: ROOT })
  const missing = globSync('docs/internals/*.md', { cwd: ROOT }).flatMap((page) =>
    Array.from(readFileSync(join(ROOT, page), 'utf8').matchAll(/`([\w./-]+\.tsx?)`/g), ([, path = '']) => path)
      .filter((path) => !/NAME|NNNN|FILE/.test(path))
      .filter((path) => !folders.some((folder) => existsSync(join(ROOT, folder + path))))
      .filter((path) => !names.some((name) => name.endsWith(`/${path}`)))
      .map((path) => `${page}: ${path}`),
  )
  assert.deepEqual(missing, [])
})

describe('programs', { concurrency: 2 }, () => {
  const programs = new Programs()
  after(() => programs[Symbol.asyncDispose]())

  it('type-check', async () => {
    assert.deepEqual(await programs.check(blocksIn('ts')), [])
  })

  for (const block of blocksIn('ts')) {
    it(`${block.page}:${block.line} prints what its comments say`, async () => {
      const problem = await programs.run(block)
      if (problem !== undefined) assert.fail(problem)
    })
  }
})

test('configuration files are valid', () => {
  for (const { page, line, text } of blocksIn('json')) {
    assert.doesNotThrow(() => checkConfig(JSON.parse(text), 'The block'), `${page}:${line}`)
  }
})

test('commands exist, with their flags and operands', () => {
  const problems = blocksIn('sh')
    .flatMap(commandsIn)
    .flatMap((command) => {
      const problem = findCommandProblem(command)
      return problem === undefined ? [] : [`${command.page}:${command.line}: ${problem}`]
    })
  assert.deepEqual(problems, [])
})

describe('requests with curl', () => {
  for (const page of PAGES) {
    const requests = readBlocks(page)
      .filter(({ language }) => language === 'sh')
      .flatMap(commandsIn)
      .filter(({ words }) => words[0] === 'curl')
    if (requests.length === 0) continue
    it(`of ${page} have the status they should have`, async () => {
      await using server = await createServer({
        config: { store: 'memory:', server: { logLevel: 'silent' } },
        keys: KEYS,
      })
      for (const request of requests) await checkRequest(server, request)
    })
  }
})

type Server = Awaited<ReturnType<typeof createServer>>

async function checkRequest(server: Server, command: CommandLine): Promise<void> {
  const abort = new AbortController()
  const response = await server.fetch(new Request(toRequest(command), { signal: abort.signal }))
  const expected = expectedStatus(command)
  const isExpected = expected === undefined ? response.ok : response.status === expected
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const body = isStream ? '' : await response.text()
  abort.abort()
  assert.ok(isExpected, `${command.page}:${command.line}: status ${response.status} ${body}`)
}

test('the reference lists every provider kind', () => {
  const [, section = ''] = readPage('docs/reference/options.md').split('\n## Providers\n')
  const listed = [...section.matchAll(/^\| `([a-z-]+)` \| `/gm)].map(([, kind]) => kind)
  assert.deepEqual([...listed, 'demo'].toSorted(), PROVIDER_KINDS.toSorted())
})

test('the table of metrics is that of the server', async () => {
  await using server = await createServer({ config: { store: 'memory:', server: { logLevel: 'silent' } }, keys: KEYS })
  const headers = { authorization: `Bearer ${KEYS.admin}` }
  const response = await server.fetch(new Request('http://localhost/metrics', { headers }))
  const metrics = [...(await response.text()).matchAll(/^# TYPE (purser_\w+) /gm)].map(([, name]) => name)
  const listed = [...readPage('docs/guides/operations.md').matchAll(/^\| `(purser_\w+)` \|/gm)].map(([, name]) => name)
  assert.deepEqual(listed.toSorted(), metrics.toSorted())
})

test('links lead to pages and headings that exist', () => {
  const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted()]
  const problems = pages.flatMap((page) =>
    [...readPage(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
      .filter(([, path = '', heading]) => !isTarget(path === '' ? page : join(page, '..', path), heading))
      .map(([link]) => `${page}: ${link.slice(1)}`),
  )
  assert.deepEqual(problems, [])
})

function isTarget(path: string, heading: string | undefined): boolean {
  if (!existsSync(join(ROOT, path))) return false
  return heading === undefined || headingsOf(readPage(path)).includes(heading)
}

/** The anchors of a page, as GitHub writes them. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
}

const CATALOG = 'docs/internals/requirements.md'

describe('the catalog of required behaviors', () => {
  const rows = [...readPage(CATALOG).matchAll(/^\| ((?:UC|RC|BL|CM)-D?\d\d) \| (.+) \|$/gm)].map(
    ([, id = '', text = '']) => ({ id, isExempt: text.includes('**No test title:**') }),
  )
  const used = idsInTestTitles()

  it('lists every id once', () => {
    const ids = rows.map(({ id }) => id)
    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) < index),
      [],
    )
  })

  it('lists every id that a test title has', () => {
    assert.deepEqual([...used].filter((id) => !rows.some((row) => row.id === id)).toSorted(), [])
  })

  it('names test files that exist', () => {
    const paths = [...readPage(CATALOG).matchAll(/`(\S+\.test\.ts)`/g)].map(([, path = '']) => {
      if (path.startsWith('test/')) return path
      return path.startsWith('server/') ? `packages/${path}` : `packages/purser/test/${path}`
    })
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(ROOT, path))),
      [],
    )
  })

  it('gives a reason for every id that no test title has, and for no other', () => {
    assert.deepEqual(
      rows.filter(({ id, isExempt }) => used.has(id) === isExempt).map(({ id }) => id),
      [],
    )
  })
})

/** Ids in the texts of tests and of the store contract; `UC-30 to UC-32` names three. */
function idsInTestTitles(): Set<string> {
  const files = globSync('{test,packages/*/test}/**/*.test.ts', { cwd: ROOT })
  files.push(...globSync('packages/purser/src/testing/store-contract/*.ts', { cwd: ROOT }))
  const ids = new Set<string>()
  for (const file of files.filter((path) => !path.endsWith('docs.test.ts'))) {
    const code = readFileSync(join(ROOT, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')
    for (const [, module = '', first = '', last = first] of code.matchAll(
      /\b(UC|RC|BL|CM)-(D?\d\d)(?: to (?:UC|RC|BL|CM)-(D?\d\d))?\b/g,
    )) {
      const [prefix, from, to] = [first.slice(0, -2), Number(first.slice(-2)), Number(last.slice(-2))]
      for (let number = from; number <= to; number++) ids.add(`${module}-${prefix}${String(number).padStart(2, '0')}`)
    }
  }
  return ids
}
