import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** Links of the pages in a folder to files and anchors that do not exist there, each with its page. */
export function findBrokenLinks(folder) {
  const pages = globSync('**/*.html', { cwd: folder })
  const ids = new Map(pages.map((page) => [page, idsOf(readFileSync(join(folder, page), 'utf8'))]))
  return pages.flatMap((page) => {
    const html = readFileSync(join(folder, page), 'utf8')
    const links = [...html.matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, link]) => link)
    return links.filter((link) => !leadsSomewhere(folder, page, { link, ids })).map((link) => `${page}: ${link}`)
  })
}

function leadsSomewhere(folder, page, { link, ids }) {
  if (/^(https?:|mailto:)/.test(link)) return true
  const [path, anchor] = link.split('#')
  const target = path === '' ? page : normalize(join(dirname(page), decodeURI(path)))
  if (!existsSync(join(folder, target))) return false
  return anchor === undefined || anchor === '' || ids.get(target)?.has(decodeURIComponent(anchor)) === true
}

function idsOf(html) {
  return new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
}
