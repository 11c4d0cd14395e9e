/** Matches of a glob that are cached; the cache is cleared when it is full. */
const MAX_CACHED_MATCHES = 256

/** Tests whether a text matches one of the globs, in which `*` is any text, also none. Compiled once, linear in the text. */
export function compileGlobs(globs: readonly string[]): (text: string) => boolean {
  const matchers = globs.map(compileGlob)
  const cached = new Map<string, boolean>()
  return (text) => {
    let isMatch = cached.get(text)
    if (isMatch === undefined) {
      isMatch = matchers.some((matches) => matches(text))
      if (cached.size >= MAX_CACHED_MATCHES) cached.clear()
      cached.set(text, isMatch)
    }
    return isMatch
  }
}

function compileGlob(glob: string): (text: string) => boolean {
  const [head = '', ...rest] = glob.split('*')
  const tail = rest.pop()
  if (tail === undefined) return (text) => text === glob
  return (text) => {
    if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false
    const end = text.length - tail.length
    let position = head.length
    // The earliest match of each part leaves the most text for the parts after it.
    for (const part of rest) {
      const found = text.indexOf(part, position)
      if (found === -1 || found + part.length > end) return false
      position = found + part.length
    }
    return true
  }
}
