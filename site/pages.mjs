// The pages of the site: README, docs and a few more files of the repository.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { headingId } from './markdown.mjs'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path) => readFileSync(join(ROOT, path), 'utf8')

/** Addresses that differ from the path. */
const URLS = { 'README.md': 'index.html', 'docs/index.md': 'documentation.html', 'bench/README.md': 'bench.html' }
const OTHER_PAGES = ['README.md', 'bench/README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']
/** Files that are copied as they are. */
const ASSETS = /^docs\/(images\/|llms\.txt)/

/** Path in the repository, address, title, text, and the sections that the search finds. */
export function readPages() {
  const paths = [...OTHER_PAGES, ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted()]
  return paths.map((path) => {
    const text = read(path)
    const url =
      URLS[path] ??
      path
        .replace(/^docs\//, '')
        .toLowerCase()
        .replace(/\.md$/, '.html')
    const title = /^# (.+)$/m.exec(text)?.[1]?.replace(/:.*/, '') ?? path
    return { path, url, title, text, sections: sectionsOf(text, { url, title }) }
  })
}

/** Files of the repository that pages link to, each as a page with its text. */
export function readLinkedFiles(pages) {
  const known = new Set(pages.map(({ path }) => path))
  const linked = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)\s]*\)/g)].map(([, link]) =>
      posix.join(dirname(path), link),
    ),
  )
  return [...new Set(linked)]
    .filter((path) => !known.has(path) && !ASSETS.test(path))
    .map((path) => {
      if (!existsSync(join(ROOT, path)) || path.startsWith('..')) throw new Error(`A page links to '${path}'.`)
      const text = `# ${path}\n\n~~~~~~${posix.extname(path).slice(1)}\n${read(path)}\n~~~~~~\n`
      return { path, url: `files/${path}.html`, title: path, text }
    })
}

/** The navigation: the sections of llms.txt, with the pages in its order. */
export function groupPages(pages) {
  const groups = read('docs/llms.txt').split('\n## ').slice(1)
  return groups.map((group) => {
    const paths = [...group.matchAll(/^- \[.*?\]\((.+?)\)/gm)].map(([, path]) => `docs/${path}`)
    const title = group.split('\n')[0].replace('Optional', 'Inside')
    return { title, pages: paths.map((path) => pages.find((page) => page.path === path)) }
  })
}

/** What stands below each heading, without marks. */
function sectionsOf(text, { url, title }) {
  const parts = text.replaceAll(/^(`{3,}).*$/gm, '').split(/^(?=#{1,3} )/m)
  return parts.map((part) => {
    const heading = /^#+ (.+)/.exec(part)?.[1] ?? title
    const body = part
      .replace(/^#+ .+/, '')
      .replaceAll(/\]\([^)]*\)/g, ' ')
      .replaceAll(/[|`*[\]]/g, ' ')
    const anchor = part.startsWith('# ') ? '' : `#${headingId(heading)}`
    return { title, heading: heading.replaceAll('`', ''), text: body, url: `${url}${anchor}` }
  })
}
