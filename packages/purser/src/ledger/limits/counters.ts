import { LRUCache } from 'lru-cache'
import type { Amount } from './amount.ts'
import type { Counter, Mark, WindowUse } from './counter.ts'

/*
 * The counters of one user in memory.
 *
 * Every admission replaces most of them, and what replaces them outlives it in the cache of users. The garbage collector
 * copies every object that does, so the counters of a user are one list of values, which is copied as a whole, and the keys,
 * which users under the same rules share. Decisions see one counter at a time, as an object that they soon forget.
 */
export interface Counters {
  readonly keys: readonly CounterKey[]
  /** Four for each counter: name, start and use of its last window, and the rest. */
  readonly values: readonly Value[]
}

interface CounterKey extends Pick<Counter, 'name' | 'of'> {
  /** The beginning of the counter as stored. */
  readonly json: string
}

type Value = Amount | Rest | undefined

/** What many counters do not have. */
interface Rest {
  readonly earlier: readonly WindowUse[]
  readonly parts: readonly Amount[] | undefined
  readonly marks: readonly Mark[] | undefined
  // Of the last window:
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly reported: readonly string[] | undefined
}

const [NAME, FROM, USED, REST, VALUES] = [0, 1, 2, 3, 4] as const
const NO_WINDOWS: readonly WindowUse[] = []
const NOTHING_MEASURED: Partial<WindowUse> = {}

export const NO_COUNTERS: Counters = { keys: [], values: [] }

export function packCounters(list: readonly Counter[]): Counters {
  const draft = new CountersDraft(NO_COUNTERS)
  for (const counter of list) draft.add(counter)
  return draft.toCounters()
}

export function listCounters(counters: Counters): readonly Counter[] {
  return counters.keys.map((_, index) => counterAt(counters, index))
}

/** The counter of a rule; undefined where the rule has none, or now counts something else. */
export function findCounter(
  counters: Counters,
  { name, counts }: { readonly name: string; readonly counts: string },
): Counter | undefined {
  const { keys } = counters
  for (let index = 0; index < keys.length; index++)
    if (keys[index]?.name === name) return keys[index]?.of === counts ? counterAt(counters, index) : undefined
  return undefined
}

/** The counters of one user while a decision changes them. */
export class CountersDraft {
  #keys: readonly CounterKey[]
  #values: readonly Value[]
  /** Copies, once something has changed. */
  #changedKeys: CounterKey[] | undefined
  #changedValues: Value[] | undefined
  /** Counters as objects, by index: a decision asks for most of them twice. */
  #objects: Counter[] | undefined
  /** The index of the counter found last. Rules are asked in the order of their counters. */
  #cursor = 0

  constructor({ keys, values }: Counters) {
    this.#keys = keys
    this.#values = values
  }

  get isChanged(): boolean {
    return this.#changedValues !== undefined
  }

  /** The index of the counter with a name; -1 when there is none. */
  find(name: string): number {
    const keys = this.#keys
    const { length } = keys
    for (let step = 0, index = this.#cursor; step < length; step++, index++) {
      if (index === length) index = 0
      if (keys[index]?.name !== name) continue
      this.#cursor = index
      return index
    }
    return -1
  }

  /** What the counter at an index counts. */
  countsAt(index: number): string | undefined {
    return this.#keys[index]?.of
  }

  at(index: number): Counter {
    this.#objects ??= new Array<Counter>(this.#keys.length)
    this.#objects[index] ??= counterAt({ keys: this.#keys, values: this.#values }, index)
    return this.#objects[index]
  }

  set(index: number, counter: Counter): void {
    if (this.#objects?.[index] === counter) return
    if (this.#keys[index]?.of !== counter.of) this.#editKeys()[index] = keyOf(counter)
    this.#write(index, counter)
  }

  /** Returns the number of counters. */
  add(counter: Counter): number {
    const length = this.#editKeys().push(keyOf(counter))
    this.#editValues().push(undefined, undefined, undefined, undefined)
    this.#write(length - 1, counter)
    return length
  }

  removeFirst(): void {
    this.#editKeys().shift()
    this.#editValues().splice(0, VALUES)
    this.#objects = undefined
    this.#cursor = 0
  }

  toCounters(): Counters {
    const keys = this.#changedKeys === undefined ? this.#keys : sharedKeys(this.#changedKeys)
    return { keys, values: this.#values }
  }

  #write(index: number, counter: Counter): void {
    if (this.#objects !== undefined) this.#objects[index] = counter
    const start = index * VALUES
    const last = counter.windows?.at(-1)
    this.#setValue(start + NAME, last?.name)
    this.#setValue(start + FROM, last?.from)
    this.#setValue(start + USED, last?.used)
    const before = this.#values[start + REST] as Rest | undefined
    const rest = restOf(counter, last)
    if (rest === undefined || before === undefined || !isSameRest(rest, before)) this.#setValue(start + REST, rest)
  }

  #setValue(index: number, value: Value): void {
    if (this.#values[index] !== value) this.#editValues()[index] = value
  }

  #editKeys(): CounterKey[] {
    this.#changedKeys ??= this.#keys.slice()
    this.#keys = this.#changedKeys
    return this.#changedKeys
  }

  #editValues(): Value[] {
    this.#changedValues ??= this.#values.slice()
    this.#values = this.#changedValues
    return this.#changedValues
  }
}

function counterAt({ keys, values }: Counters, index: number): Counter {
  const { name, of } = keys[index] as CounterKey
  const start = index * VALUES
  const rest = values[start + REST] as Rest | undefined
  const hasWindow = values[start + FROM] !== undefined
  if (rest === undefined) return hasWindow ? { name, of, windows: [lastWindow(values, start)] } : { name, of }
  const { earlier, parts, marks } = rest
  return {
    name,
    of,
    ...(hasWindow ? { windows: [...earlier, { ...lastWindow(values, start), ...measuresOf(rest) }] } : {}),
    ...(parts === undefined ? {} : { parts }),
    ...(marks === undefined ? {} : { marks }),
  }
}

function lastWindow(values: readonly Value[], start: number): WindowUse {
  const name = values[start + NAME] as string | undefined
  const from = values[start + FROM] as number
  const used = values[start + USED] as Amount
  return name === undefined ? { from, used } : { name, from, used }
}

function measuresOf({ inputTokens, outputTokens, reported }: Rest): Partial<WindowUse> {
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    ...(reported === undefined ? {} : { reported }),
  }
}

function restOf({ windows = NO_WINDOWS, parts, marks }: Counter, last: WindowUse | undefined): Rest | undefined {
  const { inputTokens, outputTokens, reported } = last ?? NOTHING_MEASURED
  const isMeasured = inputTokens !== undefined || outputTokens !== undefined || reported !== undefined
  if (windows.length <= 1 && parts === undefined && marks === undefined && !isMeasured) return undefined
  const earlier = windows.length <= 1 ? NO_WINDOWS : windows.slice(0, -1)
  return { earlier, parts, marks, inputTokens, outputTokens, reported }
}

function isSameRest(one: Rest, other: Rest): boolean {
  return (
    one.parts === other.parts &&
    one.marks === other.marks &&
    one.inputTokens === other.inputTokens &&
    one.outputTokens === other.outputTokens &&
    one.reported === other.reported &&
    one.earlier.length === other.earlier.length &&
    one.earlier.every((window, index) => window === other.earlier[index])
  )
}

function keyOf({ name, of }: Counter): CounterKey {
  return { name, of, json: `{"name":${JSON.stringify(name)},"of":${JSON.stringify(of)}` }
}

/** Lists of keys that users share. A list that is not cached any more is only shared by fewer. */
const MAX_SHARED_KEYS = 1_024
const shared = new LRUCache<string, readonly CounterKey[]>({ max: MAX_SHARED_KEYS })

function sharedKeys(keys: readonly CounterKey[]): readonly CounterKey[] {
  const json = keys.map((key) => key.json).join()
  const known = shared.get(json)
  if (known !== undefined) return known
  shared.set(json, keys)
  return keys
}

/** Appends the JSON of the list of counters, in pieces: joined, they are one text. */
export function encodeCounters({ keys, values }: Counters, pieces: unknown[]): void {
  for (let index = 0; index < keys.length; index++) {
    const start = index * VALUES
    const rest = values[start + REST] as Rest | undefined
    pieces.push(index === 0 ? '[' : ',', keys[index]?.json)
    if (values[start + FROM] !== undefined) encodeWindows(values, start, pieces)
    if (rest?.parts !== undefined) pieces.push(',"parts":', JSON.stringify(rest.parts))
    if (rest?.marks !== undefined) pieces.push(',"marks":', JSON.stringify(rest.marks))
    pieces.push('}')
  }
  pieces.push(keys.length === 0 ? '[]' : ']')
}

function encodeWindows(values: readonly Value[], start: number, pieces: unknown[]): void {
  const name = values[start + NAME]
  const used = values[start + USED]
  const rest = values[start + REST] as Rest | undefined
  pieces.push(',"windows":[')
  for (const window of rest?.earlier ?? NO_WINDOWS) pieces.push(JSON.stringify(window), ',')
  pieces.push('{')
  if (name !== undefined) pieces.push('"name":', JSON.stringify(name), ',')
  pieces.push('"from":', values[start + FROM], ',"used":', typeof used === 'number' ? used : JSON.stringify(used))
  if (rest?.inputTokens !== undefined) pieces.push(',"inputTokens":', rest.inputTokens)
  if (rest?.outputTokens !== undefined) pieces.push(',"outputTokens":', rest.outputTokens)
  if (rest?.reported !== undefined) pieces.push(',"reported":', JSON.stringify(rest.reported))
  pieces.push('}]')
}
