import { afterCurrentTick } from './effects.ts'
import { parseExactJson } from './exact-json.ts'
import { parseLargeJson } from './parse-json-in-steps.ts'

/** A longer text is read in steps, between which the process does other work. */
const LARGE_CHARACTERS = 65_536
/** Characters that are looked at in one step, which takes about two milliseconds. */
const STEP_CHARACTERS = 262_144

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Where the value of a member is in the text. */
interface Span {
  readonly start: number
  readonly end: number
}

/** The members of the object, and of the object in the member that was named to `readJsonObject`. */
interface Members {
  readonly own: Map<string, Span>
  readonly inner: Map<string, Span>
}

type Steps<Result> = Generator<undefined, Result, undefined>

/**
 * Finds the members of the object that a JSON text is, without making values of them; a promise for a large text.
 * Undefined for JSON that is no object. Throws or rejects with `SyntaxError` for a text whose brackets and quotes do not
 * match; values are checked when they are read.
 *
 * @param inside the name of a member; if that is an object, its members are found as well
 */
export function readJsonObject(
  text: string,
  inside: string | undefined,
): JsonObject | undefined | Promise<JsonObject | undefined> {
  if (!/^\uFEFF?\s*\{/.test(text)) return undefined
  const steps = new MemberFinder(text, inside).find()
  if (text.length > LARGE_CHARACTERS) return finishInSteps(text, steps)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return new JsonObject(text, value)
  }
}

async function finishInSteps(text: string, steps: Steps<Members>): Promise<JsonObject> {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return new JsonObject(text, value)
    await new Promise<void>(afterCurrentTick)
  }
}

/** The text of an object in JSON. What is not asked for stays as it was written. */
export class JsonObject {
  readonly text: string
  readonly #members: Members

  constructor(text: string, members: Members) {
    this.text = text
    this.#members = members
  }

  has(name: string, { isInside = false }: { readonly isInside?: boolean } = {}): boolean {
    return this.#spans(isInside).has(name)
  }

  /** Whether the member that was named is an object. */
  get hasInside(): boolean {
    return this.#members.inner.size > 0
  }

  /** A short value; undefined if there is none, or if it is not short. */
  get(name: string, { isInside = false }: { readonly isInside?: boolean } = {}): unknown {
    const span = this.#spans(isInside).get(name)
    if (span === undefined || span.end - span.start > LARGE_CHARACTERS) return undefined
    return parseExactJson(this.text.slice(span.start, span.end))
  }

  /** Some members as values; a promise if they are large. */
  pick(names: readonly string[]): Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>> {
    const spans = names.flatMap((name) => {
      const span = this.#members.own.get(name)
      return span === undefined ? [] : [{ name, text: this.text.slice(span.start, span.end) }]
    })
    const isLarge = spans.some(({ text }) => text.length > LARGE_CHARACTERS)
    if (isLarge) return parseAll(spans)
    return Object.fromEntries(spans.map(({ name, text }) => [name, parseExactJson(text)]))
  }

  /** The text with other values of these members; those that it does not have are added. */
  with(values: Readonly<Record<string, unknown>>, { isInside = false }: { readonly isInside?: boolean } = {}): string {
    const spans = this.#spans(isInside)
    const changes = [...spans].flatMap(([name, span]) => (Object.hasOwn(values, name) ? [{ ...span, name }] : []))
    const added = Object.keys(values).filter((name) => !spans.has(name))
    let text = ''
    let position = 0
    for (const { start, end, name } of changes) {
      text += this.text.slice(position, start) + JSON.stringify(values[name])
      position = end
    }
    if (added.length === 0 || spans.size === 0) return text + this.text.slice(position)
    const end = Math.max(...[...spans.values()].map((span) => span.end))
    const members = added.map((name) => `,${JSON.stringify(name)}:${JSON.stringify(values[name])}`)
    return text + this.text.slice(position, end) + members.join('') + this.text.slice(end)
  }

  #spans(isInside: boolean): Map<string, Span> {
    return isInside ? this.#members.inner : this.#members.own
  }
}

async function parseAll(
  members: readonly { readonly name: string; readonly text: string }[],
): Promise<Readonly<Record<string, unknown>>> {
  const values: Record<string, unknown> = {}
  for (const { name, text } of members) {
    values[name] = await parseLargeJson(text)
  }
  return values
}

/** Reads a text once; of a member that is repeated the last one counts, as with `JSON.parse`. */
class MemberFinder {
  readonly #text: string
  readonly #inside: string | undefined
  readonly #members: Members = { own: new Map(), inner: new Map() }
  /** The names and the beginnings of the values that are read, in the object and inside. */
  readonly #names: string[] = []
  readonly #starts: (number | undefined)[] = []
  #stepStart = 0

  constructor(text: string, inside: string | undefined) {
    this.#text = text
    this.#inside = inside
  }

  *find(): Steps<Members> {
    const text = this.#text
    let depth = 0
    let name: Span = { start: 0, end: 0 }
    for (let at = 0; at < text.length; at++) {
      if (at - this.#stepStart > STEP_CHARACTERS) yield this.#endStep(at)
      switch (text.charCodeAt(at)) {
        case QUOTE: {
          const end = yield* this.#findStringEnd(at)
          name = { start: at + 1, end }
          at = end
          break
        }
        case OPEN_LIST:
        case OPEN_OBJECT:
          depth++
          break
        case COLON:
          this.#beginMember(depth, name, at)
          break
        case COMMA:
          this.#endMember(depth, at)
          break
        case CLOSE_LIST:
        case CLOSE_OBJECT:
          this.#endMember(depth, at)
          if (--depth === 0) return this.#end(at)
      }
    }
    throw new SyntaxError('Unexpected end of JSON input.')
  }

  #beginMember(depth: number, { start, end }: Span, at: number): void {
    const isWanted = depth === 1 || (depth === 2 && this.#names[1] === this.#inside && this.#starts[1] !== undefined)
    if (!isWanted) return
    const name = this.#text.slice(start, end)
    if (depth === 1 && name === this.#inside) this.#members.inner.clear()
    this.#names[depth] = name
    this.#starts[depth] = at + 1
  }

  #endMember(depth: number, at: number): void {
    const start = this.#starts[depth]
    if (start === undefined) return
    this.#starts[depth] = undefined
    const spans = depth === 1 ? this.#members.own : this.#members.inner
    const name = this.#names[depth] ?? ''
    // The last one of a name stands where it is.
    spans.delete(name)
    spans.set(name, { start, end: this.#trimEnd(at) })
  }

  #trimEnd(end: number): number {
    let trimmed = end
    while (this.#text.charCodeAt(trimmed - 1) <= 0x20) trimmed--
    return trimmed
  }

  #end(at: number): Members {
    if (this.#text.slice(at + 1).trim() !== '') throw new SyntaxError('Unexpected text after JSON.')
    return this.#members
  }

  /** The index of the quote that ends the string. */
  *#findStringEnd(start: number): Steps<number> {
    const text = this.#text
    let quote = text.indexOf('"', start + 1)
    while (quote !== -1) {
      let backslashes = 0
      while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
      if (backslashes % 2 === 0) return quote
      if (quote - this.#stepStart > STEP_CHARACTERS) yield this.#endStep(quote)
      quote = text.indexOf('"', quote + 1)
    }
    throw new SyntaxError('Unterminated string in JSON.')
  }

  #endStep(at: number): undefined {
    this.#stepStart = at
    return undefined
  }
}
