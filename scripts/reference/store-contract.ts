// docs/reference/store-contract.md: the port that drivers fill, and the tests that every driver passes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { storeContract } from '../../packages/purser/src/testing/store-contract/index.ts'

const STORAGE = join(import.meta.dirname, '../../packages/purser/src/storage')

/** The interfaces of the port, and their files. */
const INTERFACES: readonly (readonly [name: string, file: string])[] = [
  ['Store', 'store.ts'],
  ['MetaStore', 'store.ts'],
  ['UserStore', 'store.ts'],
  ['EventStore', 'store.ts'],
  ['TurnStore', 'turn-store.ts'],
  ['SumStore', 'sum-store.ts'],
  ['AnswerStore', 'answer-store.ts'],
  ['LastGoodStore', 'last-good-store.ts'],
  ['InstanceStore', 'instance-store.ts'],
  ['RowStore', 'row-store.ts'],
  ['Bus', 'store.ts'],
]

const HEAD = `# Store contract

A store is an object that implements the type \`Store\` of \`purser\`: \`openPurser({ store, secretKey })\` takes one of your own. It decides
nothing: each method is atomic, and every rule stays in the modules above it. \`storeContract({ test, open, reopen })\` of \`purser/testing\`
registers the tests below with any test runner; the four drivers of Purser pass them. A method rejects with \`store_unavailable\` when the
store cannot be reached, is full or is read-only, and has written nothing then. [Storage](../internals/storage.md) describes the drivers.
`

/** Generated from the interfaces in `packages/purser/src/storage` and the titles of the contract's tests. */
export async function storeContractPage(): Promise<string> {
  const titles: string[] = []
  storeContract({ test: (name) => titles.push(name), open: () => Promise.reject(new Error('Not run.')) })
  return [
    HEAD,
    ...INTERFACES.map(([name, file]) => interfaceSection(name, readFileSync(join(STORAGE, file), 'utf8'))),
    '## What the tests require\n',
    ...titles.map((title) => `- ${title.charAt(0).toUpperCase()}${title.slice(1)}`),
    '',
  ].join('\n')
}

function interfaceSection(name: string, text: string): string {
  const start = text.search(new RegExp(`^export interface ${name}\\b`, 'm'))
  if (start === -1) throw new Error(`No interface ${name}.`)
  const body = text.slice(text.indexOf('\n', start) + 1, text.indexOf('\n}\n', start))
  const members = body.matchAll(
    /^(?: {2}\/\*\*\n?([\s\S]*?)\*\/\n)?( {2}(?:readonly )?\w+\??[(:<][\s\S]*?)(?=\n {2}\S|(?![\s\S]))/gm,
  )
  const rows = Array.from(members, ([, doc = '', signature = '']) => {
    const [summary = ''] = joinLines(doc.replaceAll(/^\s*\* ?/gm, '')).split(/ ?@\w+/)
    return `| \`${escapeCell(joinLines(signature).replace(/^readonly /, ''))}\` | ${escapeCell(summary)} |`
  })
  return [`## ${name}\n`, '| member | meaning |', '|---|---|', ...rows, ''].join('\n')
}

function joinLines(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\( | \)/g, (part) => part.trim())
    .trim()
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}
