import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ROOT } from './support/pages.ts'

/* What the static site is made of. Its generator is installed in `site/` only; `npm run site` builds it. */

interface Page {
  readonly path: string
  readonly url: string
  readonly title: string
  readonly text: string
  readonly sections: readonly { readonly heading: string; readonly url: string }[]
}

interface Pages {
  readPages(): readonly Page[]
  readLinkedFiles(pages: readonly Page[]): readonly { readonly path: string; readonly url: string }[]
  groupPages(
    pages: readonly Page[],
  ): readonly { readonly title: string; readonly pages: readonly (Page | undefined)[] }[]
}

interface Links {
  findBrokenLinks(folder: string): string[]
}

const load = async <Module>(name: string): Promise<Module> => (await import(join(ROOT, 'site', name))) as Module

test('every page has an address of its own and, below docs, a line in the navigation', async () => {
  const { readPages, readLinkedFiles, groupPages } = await load<Pages>('pages.mjs')
  const pages = readPages()
  // Throws for a link to a file that does not exist.
  const files = readLinkedFiles(pages)
  const urls = [...pages, ...files].map(({ url }) => url)
  assert.equal(new Set(urls).size, urls.length)
  assert.ok(files.some(({ path }) => path === 'examples/express.ts'))
  const listed = groupPages(pages).flatMap((group) => group.pages.map((page) => page?.path))
  assert.deepEqual(listed.toSorted(), pages.flatMap(({ path }) => (path.startsWith('docs/') ? [path] : [])).toSorted())
  const ledger = pages.find(({ path }) => path === 'docs/guides/ledger.md')
  assert.ok(ledger?.sections.some(({ url }) => url === 'guides/ledger.html#repeat-a-call-safely'))
})

test('links to pages and anchors that do not exist are found', async () => {
  const { findBrokenLinks } = await load<Links>('links.mjs')
  const folder = mkdtempSync(join(tmpdir(), 'purser-site-'))
  after(() => rmSync(folder, { recursive: true }))
  writeFileSync(
    join(folder, 'a.html'),
    '<h2 id="one"></h2><a href="b.html#two"></a><a href="#one"></a><a href="b.html"></a>',
  )
  writeFileSync(
    join(folder, 'b.html'),
    '<a href="https://example.com/x"></a><a href="a.html#one"></a><img src="c.png">',
  )
  assert.deepEqual(findBrokenLinks(folder), ['a.html: b.html#two', 'b.html: c.png'])
})
