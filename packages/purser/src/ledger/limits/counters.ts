import { LRUCache } from 'lru-cache'
import type { Amount } from './amount.ts'
import type { Counter, Mark, WindowUse } from './counter.ts'
import { PART } from './counter-use.ts'

/*
 * The counters of one user in memory.
 *
 * Every admission replaces most of them, and what replaces them outlives it in the cache of users. The garbage collector
 * copies every object that does, so the counters of a user are one list of values, which is copied as a whole, and the keys,
 * which users under the same rules share. Decisions read and change the values where they are, see `counters-draft.ts`.
 */
export interface Counters {
  readonly keys: readonly CounterKey[]
  /** Four for each counter: the name, start and use of its newest window, and the rest. */
  readonly values: readonly Value[]
}

export type Value = Amount | Rest | null | undefined

// Of one counter:
export const NAME = 0
export const FROM = 1
export const USED = 2
export const REST = 3
export const VALUES = 4
const NO_WINDOWS: readonly WindowUse[] = []
const NO_PARTS: readonly Amount[] = []

/** What many counters do not have, and what seldom changes. */
export interface Rest {
  /** The windows before the newest one. */
  readonly earlier: StoredList<WindowUse> | undefined
  /** The parts of a sliding window before the newest one. */
  readonly parts: StoredList<Amount> | undefined
  readonly marks: StoredList<Mark> | undefined
  // Of the newest window:
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly reported: StoredList<string> | undefined
}

/** A list with its JSON, which is made once. */
export class StoredList<Item> {
  readonly items: readonly Item[]
  #json: string | undefined

  constructor(items: readonly Item[]) {
    this.items = items
  }

  /** Without brackets. */
  get json(): string {
    this.#json ??= itemsJson(this.items)
    return this.#json
  }

  /** The list without its first items, and with others after the last one. Its JSON is made from that of this list. */
  shift(dropped: number, added: readonly Item[]): StoredList<Item> {
    const { items } = this
    const list = new StoredList(dropped === 0 ? items.concat(added) : items.slice(dropped).concat(added))
    if (this.#json !== undefined && dropped < items.length) {
      const start = dropped === 0 ? 0 : itemsJson(items.slice(0, dropped)).length + 1
      list.#json = `${this.#json.slice(start)},${itemsJson(added)}`
    }
    return list
  }
}

function itemsJson(items: readonly unknown[]): string {
  return JSON.stringify(items).slice(1, -1)
}

/** What a counter counts, and how it is stored up to where users differ. */
export class CounterKey implements Pick<Counter, 'name' | 'of'> {
  readonly name: string
  readonly of: string
  /** The beginning of the counter. */
  readonly json: string
  /** The name of a window that was asked for last, which is the same for most users. */
  #windowName: string | undefined
  #jsonOfWindow = WINDOW_WITHOUT_NAME
  #jsonUntilStart: string

  constructor({ name, of }: Pick<Counter, 'name' | 'of'>) {
    this.name = name
    this.of = of
    this.json = `{"name":${JSON.stringify(name)},"of":${JSON.stringify(of)}`
    this.#jsonUntilStart = `${this.json},"windows":[${WINDOW_WITHOUT_NAME}`
  }

  /** The beginning of the counter, with `earlier` windows as JSON, up to the start of the newest window. */
  jsonUntilStart(windowName: string | undefined, earlier: string | undefined): string {
    if (this.#windowName !== windowName) {
      this.#windowName = windowName
      this.#jsonOfWindow =
        windowName === undefined ? WINDOW_WITHOUT_NAME : `{"name":${JSON.stringify(windowName)},"from":`
      this.#jsonUntilStart = `${this.json},"windows":[${this.#jsonOfWindow}`
    }
    return earlier === undefined ? this.#jsonUntilStart : `${this.json},"windows":[${earlier},${this.#jsonOfWindow}`
  }
}

const WINDOW_WITHOUT_NAME = '{"from":'

export const NO_COUNTERS: Counters = { keys: [], values: [] }

export function packCounters(list: readonly Counter[]): Counters {
  const values: Value[] = []
  for (const counter of list) values.push(...packCounter(counter))
  return { keys: shareKeys(list.map((counter) => new CounterKey(counter))), values }
}

export function listCounters({ keys, values }: Counters): readonly Counter[] {
  return keys.map((key, index) => unpackCounter(key, values, index * VALUES))
}

/** The values of one counter. */
export function packCounter({ windows, parts, marks }: Counter): readonly [Value, Value, Value, Value] {
  const newest = windows?.at(-1)
  if (newest !== undefined) {
    const { name, from, used, ...measured } = newest
    return [name, from, used, toRest({ ...measured, earlier: windows?.slice(0, -1), parts, marks })]
  }
  // Parts are starts and amounts in turn. A list that is damaged stays as it is stored.
  const from = parts?.at(-2)
  if (parts === undefined || parts.length % 2 !== 0 || typeof from !== 'number')
    return [undefined, undefined, undefined, toRest({ parts, marks })]
  const earlier = parts.length === 2 ? undefined : parts.slice(0, -2)
  return [PART, from, parts.at(-1), toRest({ parts: earlier, marks })]
}

export const NO_REST: Rest = {
  earlier: undefined,
  parts: undefined,
  marks: undefined,
  inputTokens: undefined,
  outputTokens: undefined,
  reported: undefined,
}

type Optional<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined }

interface RestOfCounter
  extends Optional<Pick<Counter, 'parts' | 'marks'>>,
    Optional<Pick<WindowUse, 'inputTokens' | 'outputTokens' | 'reported'>> {
  readonly earlier?: readonly WindowUse[] | undefined
}

function toRest({ earlier = NO_WINDOWS, parts, marks, inputTokens, outputTokens, reported }: RestOfCounter): Value {
  const isMeasured = inputTokens !== undefined || outputTokens !== undefined || reported !== undefined
  if (earlier.length === 0 && parts === undefined && marks === undefined && !isMeasured) return undefined
  return {
    earlier: earlier.length === 0 ? undefined : new StoredList(earlier),
    parts: parts && new StoredList(parts),
    marks: marks && new StoredList(marks),
    inputTokens,
    outputTokens,
    reported: reported && new StoredList(reported),
  }
}

/** The counter whose values begin at an index. */
export function unpackCounter(
  { name, of }: Pick<Counter, 'name' | 'of'>,
  values: readonly Value[],
  start: number,
): Counter {
  const from = values[start + FROM] as number | undefined
  const used = values[start + USED] as Amount
  const windowName = values[start + NAME] as string | typeof PART | undefined
  const rest = values[start + REST] as Rest | undefined
  const earlierParts = rest?.parts?.items
  const isPart = windowName === PART
  const parts = isPart ? [...(earlierParts ?? NO_PARTS), from as number, used] : earlierParts
  const marks = rest?.marks?.items
  return {
    name,
    of,
    ...(from === undefined || isPart ? {} : { windows: unpackWindows({ ...nameOf(windowName), from, used }, rest) }),
    ...(parts === undefined ? {} : { parts }),
    ...(marks === undefined ? {} : { marks }),
  }
}

function nameOf(name: string | undefined): Pick<WindowUse, 'name'> {
  return name === undefined ? {} : { name }
}

function unpackWindows(newest: WindowUse, rest: Rest | undefined): readonly WindowUse[] {
  if (rest === undefined) return [newest]
  const { earlier, inputTokens, outputTokens, reported } = rest
  const measured = {
    ...newest,
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    ...(reported === undefined ? {} : { reported: reported.items }),
  }
  return earlier === undefined ? [measured] : [...earlier.items, measured]
}

/** Lists of keys that users share. A list that is not cached any more is only shared by fewer. */
const MAX_SHARED_KEYS = 1_024
const shared = new LRUCache<string, readonly CounterKey[]>({ max: MAX_SHARED_KEYS })

export function shareKeys(keys: readonly CounterKey[]): readonly CounterKey[] {
  const json = keys.map((key) => key.json).join()
  const known = shared.get(json)
  if (known !== undefined) return known
  shared.set(json, keys)
  return keys
}
