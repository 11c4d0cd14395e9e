import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT: string = resolve(import.meta.dirname, '../..')

/** The pages whose programs, configurations and commands are tested. */
export const PAGES: readonly string[] = [
  'README.md',
  'docs/start.md',
  ...globSync('docs/guides/**/*.md', { cwd: ROOT }).toSorted(),
]

/** A fenced block of a page. */
export interface Block {
  readonly page: string
  /** Line of the first line of `text`, from 1. */
  readonly line: number
  readonly language: string
  /** What follows the language in the opening fence. */
  readonly words: readonly string[]
  readonly text: string
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}

export function readBlocks(page: string): Block[] {
  const blocks: Block[] = []
  let open: { line: number; info: readonly string[]; text: string[] } | undefined
  for (const [index, line] of readPage(page).split('\n').entries()) {
    if (!line.startsWith('```')) open?.text.push(line)
    else if (open === undefined) open = { line: index + 2, info: line.slice(3).trim().split(/\s+/), text: [] }
    else {
      const [language = '', ...words] = open.info
      blocks.push({ page, line: open.line, language, words, text: open.text.join('\n') })
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line - 1}: the block has no end.`)
  return blocks
}

export function blocksIn(...languages: readonly string[]): Block[] {
  return PAGES.flatMap(readBlocks).filter(({ language }) => languages.includes(language))
}
