// What the site does with the tokens of markdown-it.

import { dirname, posix } from 'node:path'

/** The anchor of a heading, as GitHub writes it. */
export function headingId(text) {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .replaceAll(' ', '-')
}

export function addHeadingIds(tokens) {
  for (const [index, token] of tokens.entries())
    if (token.type === 'heading_open') token.attrSet('id', headingId(tokens[index + 1].content))
}

/** Replaces links to files of the repository with addresses of the site, relative to the page. */
export function rewriteLinks(tokens, { source, root, urls }) {
  for (const token of tokens.flatMap(({ children }) => children ?? [])) {
    const attribute = { link_open: 'href', image: 'src' }[token.type]
    const link = attribute === undefined ? undefined : token.attrGet(attribute)
    if (link === undefined || /^(https?:|mailto:|#)/.test(link)) continue
    const [path, anchor] = link.split('#')
    const target = posix.join(dirname(source), decodeURI(path))
    const url = urls.get(target) ?? target.replace(/^docs\//, '')
    token.attrSet(attribute, `${root}${url}${anchor === undefined ? '' : `#${anchor}`}`)
  }
}
