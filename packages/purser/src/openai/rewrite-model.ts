/**
 * Replaces the top-level `model` of JSON text, without parsing it; a `"model"` deeper inside is left alone. Text that
 * has the right model already, or none, comes back as it is.
 *
 * The chunks of one answer begin alike: id, object, time, model. So the beginning of the last text is remembered up to
 * the model's value, and a text that begins the same way is not scanned again.
 */
export function createModelRewriter(model: string): (text: string) => string {
  const stamp = JSON.stringify(model)
  let from = ''
  let to = ''
  return (text) => {
    if (from !== '' && text.startsWith(from)) return from === to ? text : to + text.slice(from.length)
    const value = topLevelModel(text)
    if (value === undefined) return text
    from = text.slice(0, value.end)
    to = text.slice(0, value.start) + stamp
    return from === to ? text : to + text.slice(value.end)
  }
}

/** Where the value of the top-level member `model` stands, if it is text or null. */
function topLevelModel(text: string): { start: number; end: number } | undefined {
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
        const end = stringEnd(text, at)
        if (depth === 1 && end - at === 7 && text.startsWith('"model"', at)) {
          const value = valueAfter(text, end)
          if (value !== undefined) return value
        }
        at = end - 1
      }
    }
  }
  return undefined
}

/** `model` may also be a value (`"object":"model"`), which no colon follows. */
function valueAfter(text: string, keyEnd: number): { start: number; end: number } | undefined {
  const colon = skipSpace(text, keyEnd)
  if (text[colon] !== ':') return undefined
  const start = skipSpace(text, colon + 1)
  if (text[start] === '"') return { start, end: stringEnd(text, start) }
  return text.startsWith('null', start) ? { start, end: start + 4 } : undefined
}

function skipSpace(text: string, at: number): number {
  let place = at
  while (place < text.length && text.charCodeAt(place) <= 0x20) place++
  return place
}

/** The place behind the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1)
  while (quote !== -1) {
    let slashes = 0
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
  return text.length
}
