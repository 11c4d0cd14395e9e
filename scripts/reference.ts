// `npm run reference`: writes the generated tables of docs/reference and the types of the API. A test compares them.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OPTION_SPECS } from '../packages/purser/src/options.ts'
import { isSpec, type OptionSpec, type SpecTable } from '../packages/purser/src/options-schema.ts'
import { SERVER_SPECS } from '../packages/server/src/config/server-options.ts'
import { SETTINGS } from '../packages/server/src/config/settings.ts'
import { commandsPage } from './reference/commands.ts'
import { httpPage } from './reference/http.ts'
import { llmsText } from './reference/llms.ts'
import { matrixPage } from './reference/matrix.ts'
import { storeContractPage } from './reference/store-contract.ts'
import { wireTypes } from './reference/wire.ts'

const root = join(import.meta.dirname, '..')
const source = (path: string): string => readFileSync(join(root, path), 'utf8')

/** The interface that documents each group of options, and its file. */
const INTERFACES: Readonly<Record<string, readonly [name: string, file: string]>> = {
  '': ['PurserOptions', 'packages/purser/src/options.ts'],
  runtime: ['RuntimeOptions', 'packages/purser/src/options.ts'],
  context: ['ContextOptions', 'packages/purser/src/options.ts'],
  ledger: ['LedgerOptions', 'packages/purser/src/options.ts'],
  'ledger.hold': ['HoldOptions', 'packages/purser/src/options.ts'],
  'ledger.keepTurns': ['KeepTurnsOptions', 'packages/purser/src/options.ts'],
  answers: ['AnswerOptions', 'packages/purser/src/options.ts'],
  server: ['ServerOptions', 'packages/server/src/config/server-options.ts'],
}

/** Defaults that are not values. */
const DEFAULT_WORDS: Readonly<Record<string, string>> = {
  secretKey: 'a key file beside the database',
  cacheStore: 'the store',
  providers: 'none',
  mcpServers: 'none',
  presets: 'none',
  plans: 'none',
  prices: 'none',
  effects: "the system's",
}

/** The doc comment of each field of a group. */
function fieldDocs(group: string): Map<string, string> {
  const [name = '', file = ''] = INTERFACES[group] ?? []
  const text = source(file)
  const start = text.indexOf(`export interface ${name} {`)
  const body = text.slice(start, text.indexOf('\n}\n', start))
  const fields = body.matchAll(/\/\*\* (.+?) \*\/\n {2}(?:readonly )?(\w+)\??:/g)
  return new Map(Array.from(fields, ([, doc = '', field = '']) => [field, doc]))
}

function optionRows(specs: SpecTable, group = ''): string[] {
  const docs = fieldDocs(group)
  return Object.entries(specs).flatMap(([name, spec]) => {
    const path = group === '' ? name : `${group}.${name}`
    return isSpec(spec) ? [optionRow(path, spec, docs.get(name))] : optionRows(spec, path)
  })
}

function optionRow(path: string, spec: OptionSpec, doc: string | undefined): string {
  if (doc === undefined) throw new Error(`The option '${path}' has no doc comment.`)
  const value = DEFAULT_WORDS[path] ?? `\`${JSON.stringify(spec.default) ?? 'undefined'}\``
  return `| \`${path}\` | ${value} | ${doc} |`
}

/** The fields that providers of every kind have. */
function providerRows(): string[] {
  const text = source('packages/purser/src/options/provider-config.ts')
  const start = text.indexOf('export interface CommonProviderConfig {')
  const fields = text.slice(start, text.indexOf('\n}\n', start)).matchAll(/\/\*\*([\s\S]+?)\*\/\n {2}(\w+)\?:/g)
  return Array.from(fields, ([, doc = '', name]) => `| \`${name}\` | ${doc.replaceAll(/\s*\n\s*\*? ?/g, ' ').trim()} |`)
}

/** The generated tables of each page, by their header row. */
const TABLES: Readonly<Record<string, Readonly<Record<string, () => string[]>>>> = {
  'docs/reference/options.md': {
    '| option | default | meaning |': () => optionRows(OPTION_SPECS as unknown as SpecTable),
    '| field of every kind | meaning |': providerRows,
  },
  'docs/reference/server.md': {
    '| option | default | meaning |': () => optionRows(SERVER_SPECS as unknown as SpecTable, 'server'),
    '| flag | variable | meaning |': () =>
      SETTINGS.map(({ flag, environment, help }) => `| \`--${flag}\` | \`${environment}\` | ${help} |`),
  },
}

interface Page {
  readonly path: string
  readonly content: string
  readonly expected: string
}

/** Files that are generated as a whole. */
const FILES: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/reference/http.md': httpPage,
  'docs/reference/commands.md': commandsPage,
  'docs/reference/store-contract.md': storeContractPage,
  'docs/reference/matrix.md': matrixPage,
  'docs/llms.txt': llmsText,
  'packages/deck/src/api/wire.ts': wireTypes,
}

/** Everything generated: path, content, and the content that the source asks for. */
export async function pages(): Promise<readonly Page[]> {
  const files = Object.entries(FILES).map(async ([path, generate]) => ({
    path,
    content: existsSync(join(root, path)) ? source(path) : '',
    expected: await generate(),
  }))
  return [...tablePages(), ...(await Promise.all(files))]
}

function tablePages(): readonly Page[] {
  return Object.entries(TABLES).map(([path, tables]) => {
    const content = source(path)
    const expected = Object.entries(tables).reduce(
      (page, [header, rows]) => replaceTable(page, header, rows()),
      content,
    )
    return { path, content, expected }
  })
}

function replaceTable(page: string, header: string, rows: readonly string[]): string {
  const start = page.indexOf(`${header}\n`)
  if (start === -1) throw new Error(`No table '${header}'.`)
  const body = page.slice(start).match(/^(\|.*\n)+/)?.[0] ?? ''
  const columns = header.split('|').length - 2
  const table = [header, `|${'---|'.repeat(columns)}`, ...rows, ''].join('\n')
  return page.slice(0, start) + table + page.slice(start + body.length)
}

if (import.meta.main) {
  for (const { path, content, expected } of await pages()) {
    if (content !== expected) writeFileSync(join(root, path), expected)
  }
}
