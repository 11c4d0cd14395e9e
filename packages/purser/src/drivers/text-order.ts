/**
 * The order of texts in every driver: that of their UTF-8 bytes, which is the order of their code points. JavaScript
 * compares UTF-16 units instead, and sorts surrogates (code points above U+FFFF) before U+E000.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left === right) continue
    const leftIsSurrogate = isSurrogate(left)
    return leftIsSurrogate === isSurrogate(right) ? left - right : leftIsSurrogate ? 1 : -1
  }
  return a.length - b.length
}

/** The first text after all texts that begin with `prefix`; undefined when no text can follow them. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last < 0x10ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}
