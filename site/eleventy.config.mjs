// The configuration of Eleventy. The pages are those of the repository, as they are; links between them become links of the site,
// links to other files of the repository lead to a page with the file.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import MiniSearch from 'minisearch'
import { findBrokenLinks } from './links.mjs'
import { addHeadingIds, rewriteLinks } from './markdown.mjs'
import { groupPages, readLinkedFiles, readPages } from './pages.mjs'

const SEARCH = { fields: ['title', 'heading', 'text'], storeFields: ['title', 'heading', 'url'] }

export default function configure(eleventy) {
  const pages = readPages()
  const files = readLinkedFiles(pages)
  const urls = new Map([...pages, ...files].map(({ path, url }) => [path, url]))
  for (const { path, url, title, text } of [...pages, ...files]) {
    const root = '../'.repeat(url.split('/').length - 1)
    eleventy.addTemplate(`${path}.md`, text, { layout: 'page.njk', source: path, permalink: url, title, root })
  }
  eleventy.addGlobalData('groups', groupPages(pages))
  eleventy.amendLibrary('md', (markdown) => {
    markdown.set({ html: false })
    markdown.core.ruler.push('site', ({ tokens, env }) => {
      addHeadingIds(tokens)
      rewriteLinks(tokens, { source: env.source, root: env.root, urls })
    })
    // Wide tables scroll by themselves.
    markdown.renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>\n'
    markdown.renderer.rules.table_close = () => '</table></div>\n'
  })
  eleventy.addPassthroughCopy({
    assets: 'assets',
    'node_modules/minisearch/dist/es/index.js': 'assets/minisearch.js',
    '../docs/images': 'images',
    '../docs/llms.txt': 'llms.txt',
    '../packages/deck/public/mark.svg': 'assets/mark.svg',
  })
  eleventy.on('eleventy.after', ({ directories }) => {
    const search = new MiniSearch(SEARCH)
    search.addAll(pages.flatMap(({ sections }) => sections).map((section, id) => ({ id, ...section })))
    writeFileSync(join(directories.output, 'assets', 'search.json'), JSON.stringify(search))
    const broken = findBrokenLinks(directories.output)
    if (broken.length > 0) throw new Error(`Links that lead nowhere:\n${broken.join('\n')}`)
  })
  return { dir: { input: 'templates', output: 'dist' }, markdownTemplateEngine: false }
}
