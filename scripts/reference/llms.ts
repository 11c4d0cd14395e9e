// docs/llms.txt: all pages with what they are about, for language models (llmstxt.org).

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** Sections of the file: the pages that a pattern under docs/ matches. */
const SECTIONS: readonly (readonly [title: string, ...patterns: string[]])[] = [
  ['Start', 'start.md', 'index.md'],
  ['Guides', 'guides/*.md'],
  ['Clients', 'guides/clients/*.md'],
  ['Promises', 'threat-model.md', 'durability.md', 'decisions.md'],
  ['Reference', 'reference/*.md'],
  ['Optional', 'internals/*.md'],
]

export function llmsText(): string {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const sections = SECTIONS.map(([title, ...patterns]) => {
    const pages = patterns.flatMap((pattern) => globSync(pattern, { cwd: join(ROOT, 'docs') }).toSorted())
    return [`## ${title}\n`, ...pages.map(lineOf), ''].join('\n')
  })
  const [, summary = ''] = readme.split('\n\n')
  return [`# Purser\n`, `> ${summary.replaceAll('\n', ' ')}\n`, ...sections].join('\n')
}

/** The title of a page, its path, and the first sentence of it. */
function lineOf(path: string): string {
  const text = readFileSync(join(ROOT, 'docs', path), 'utf8')
  const title = /^# (.+)$/m.exec(text)?.[1] ?? path
  const paragraph = /^# .+\n\n((?:(?!```|[#|>-])[^\n]+\n)+)/m.exec(text)?.[1] ?? ''
  const sentence = /^(.*?[.:])(?:\s|$)/.exec(unlinked(paragraph.replaceAll('\n', ' ')))?.[1] ?? ''
  return `- [${title}](${path})${sentence === '' ? '' : `: ${sentence.replace(/:$/, '.')}`}`
}

function unlinked(text: string): string {
  return text.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
}
