/** Start and end index of a JSON value in a text. */
interface Span {
  readonly start: number
  readonly end: number
}

/**
 * Returns a function that replaces the top-level `model` of JSON text without parsing it; nested members of that name are
 * not changed. Text that has this model already, or none, is returned as it is.
 *
 * The chunks of one answer begin with the same id, object, time and model. So the text up to the end of the model is
 * cached, and a chunk that begins with it is not scanned again.
 */
export function createModelRewriter(model: string): (text: string) => string {
  const replacement = JSON.stringify(model)
  let prefix = ''
  let rewrittenPrefix = ''
  return (text) => {
    if (prefix !== '' && text.slice(0, prefix.length) === prefix) {
      return prefix === rewrittenPrefix ? text : rewrittenPrefix + text.slice(prefix.length)
    }
    const value = findTopLevelModel(text)
    if (value === undefined) return text
    prefix = text.slice(0, value.end)
    rewrittenPrefix = text.slice(0, value.start) + replacement
    return prefix === rewrittenPrefix ? text : rewrittenPrefix + text.slice(value.end)
  }
}

/** The same for the text with which several chunks begin; undefined if it has no model. */
export function createHeadRewriter(model: string): (head: string) => string | undefined {
  const rewrite = createModelRewriter(model)
  let last = ''
  let rewritten: string | undefined
  return (head) => {
    if (head !== last) rewritten = findTopLevelModel(head) === undefined ? undefined : rewrite(head)
    last = head
    return rewritten
  }
}

/** The value of the top-level member `model`, if it is a string or null. */
function findTopLevelModel(text: string): Span | undefined {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: // [
        depth++
        break
      case 0x7d: // }
      case 0x5d: // ]
        depth--
        break
      case 0x22: {
        const end = findStringEnd(text, at)
        if (depth === 1 && end - at === 7 && text.startsWith('"model"', at)) {
          const value = findValue(text, end)
          if (value !== undefined) return value
        }
        at = end - 1
      }
    }
  }
  return undefined
}

/** The value behind a key. `"model"` may also be a value itself (`"object":"model"`); then no colon follows. */
function findValue(text: string, keyEnd: number): Span | undefined {
  const colon = skipWhitespace(text, keyEnd)
  if (text[colon] !== ':') return undefined
  const start = skipWhitespace(text, colon + 1)
  if (text[start] === '"') return { start, end: findStringEnd(text, start) }
  return text.startsWith('null', start) ? { start, end: start + 4 } : undefined
}

function skipWhitespace(text: string, start: number): number {
  let index = start
  while (index < text.length && text.charCodeAt(index) <= 0x20) index++
  return index
}

/** The index behind the closing quote of the string that starts at `start`. */
export function findStringEnd(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1)
  while (quote !== -1) {
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
  return text.length
}
