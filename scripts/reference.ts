// `npm run reference`: writes the generated parts of docs/reference from the source. A test compares them.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OPTION_SPECS } from '../packages/purser/src/options.ts'
import { isSpec, type OptionSpec, type SpecTable } from '../packages/purser/src/options-schema.ts'

const root = join(import.meta.dirname, '..')
const OPTIONS_SOURCE = join(root, 'packages/purser/src/options.ts')
const OPTIONS_PAGE = join(root, 'docs/reference/options.md')

/** Which interface documents which group of options. */
const INTERFACES: Readonly<Record<string, string>> = {
  '': 'PurserOptions',
  runtime: 'RuntimeOptions',
  context: 'ContextOptions',
  ledger: 'LedgerOptions',
  answers: 'AnswerOptions',
}

/** Defaults that depend on other options, in words. */
const DEFAULT_WORDS: Readonly<Record<string, string>> = {
  secretKey: 'a key file beside the database',
  providers: 'none',
  mcpServers: 'none',
  presets: 'none',
  effects: "the system's",
}

/** The doc comment of each field of an interface. */
function fieldDocs(source: string, name: string): Map<string, string> {
  const start = source.indexOf(`export interface ${name} {`)
  const body = source.slice(start, source.indexOf('\n}\n', start))
  const fields = body.matchAll(/\/\*\* (.+?) \*\/\n {2}(\w+)\??:/g)
  return new Map(Array.from(fields, ([, doc = '', field = '']) => [field, doc]))
}

/** One row per option: name, default, bounds and meaning. */
export function optionsTable(): string {
  const source = readFileSync(OPTIONS_SOURCE, 'utf8')
  const rows = ['| option | default | meaning |', '|---|---|---|']
  const add = (specs: SpecTable, group: string): void => {
    const docs = fieldDocs(source, INTERFACES[group] ?? '')
    for (const [name, spec] of Object.entries(specs)) {
      if (!isSpec(spec)) add(spec, name)
      else rows.push(row(group === '' ? name : `${group}.${name}`, spec, docs.get(name)))
    }
  }
  add(OPTION_SPECS as unknown as SpecTable, '')
  return rows.join('\n')
}

function row(path: string, spec: OptionSpec, doc: string | undefined): string {
  if (doc === undefined) throw new Error(`The option '${path}' has no doc comment.`)
  const value = DEFAULT_WORDS[path] ?? `\`${JSON.stringify(spec.default) ?? 'undefined'}\``
  return `| \`${path}\` | ${value} | ${doc} |`
}

/** The page with its table replaced by the one of the source. */
export function optionsPage(page: string): string {
  return page.replace(/\| option \| default \| meaning \|\n(\|.*\n)+/, () => `${optionsTable()}\n`)
}

if (import.meta.main) writeFileSync(OPTIONS_PAGE, optionsPage(readFileSync(OPTIONS_PAGE, 'utf8')))
