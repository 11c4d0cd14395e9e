import type { Amount } from './amount.ts'
import type { Counter } from './counter.ts'
import type { CounterDraft, CountingRule } from './counter-use.ts'
import {
  CounterKey,
  type Counters,
  FROM,
  NAME,
  NO_REST,
  packCounter,
  REST,
  type Rest,
  StoredList,
  shareKeys,
  USED,
  unpackCounter,
  VALUES,
  type Value,
} from './counters.ts'

/** Counters of rules that do not apply at present, such as those of another plan, are dropped beyond this number. */
const MAX_COUNTERS = 48
const NO_PARTS = new StoredList<Amount>([])
const NO_RULE: CountingRule = { name: '', counts: '' }

/** The counters of one user while a decision changes them: one at a time, that of the rule that was selected last. */
export class CountersDraft implements CounterDraft {
  #keys: readonly CounterKey[]
  #values: readonly Value[]
  #isChanged = false
  /** Copies, which nothing else has, once something has changed. */
  #changedKeys: CounterKey[] | undefined
  #changedValues: Value[] | undefined
  #rule: CountingRule = NO_RULE
  /** The index of the counter with the name of the rule; -1 without one. Rules are selected in the order of their counters. */
  #index = 0
  /** Where its values begin; -1 where there is none, or it counts something else. */
  #start = -1

  constructor({ keys, values }: Counters) {
    this.#keys = keys
    this.#values = values
  }

  get isChanged(): boolean {
    return this.#isChanged
  }

  select(rule: CountingRule): this {
    this.#rule = rule
    this.#index = this.#find(rule.name)
    this.#start = this.#index !== -1 && this.#keys[this.#index]?.of === rule.counts ? this.#index * VALUES : -1
    return this
  }

  get name(): CounterDraft['name'] {
    return this.#get(NAME) as CounterDraft['name']
  }

  get from(): number | undefined {
    return this.#get(FROM) as number | undefined
  }

  get used(): Amount {
    return (this.#get(USED) as Amount | undefined) ?? 0
  }

  set used(amount: Amount) {
    this.#set(USED, amount)
  }

  get earlierParts(): readonly Amount[] {
    return ((this.#get(REST) as Rest | undefined)?.parts ?? NO_PARTS).items
  }

  measure(inputTokens: number, outputTokens: number): void {
    const rest = (this.#get(REST) as Rest | undefined) ?? NO_REST
    this.#set(REST, {
      ...rest,
      inputTokens: (rest.inputTokens ?? 0) + inputTokens,
      outputTokens: (rest.outputTokens ?? 0) + outputTokens,
    })
  }

  beginPart({ from, used }: { readonly from: number; readonly used: Amount }, dropped: number): void {
    const rest = (this.#get(REST) as Rest | undefined) ?? NO_REST
    const newest = [this.from ?? 0, this.used]
    this.#set(REST, { ...rest, parts: (rest.parts ?? NO_PARTS).shift(dropped, newest) })
    this.#set(FROM, from)
    this.#set(USED, used)
  }

  get counter(): Counter {
    if (this.#start !== -1) return unpackCounter(this.#keys[this.#index] as CounterKey, this.#values, this.#start)
    return { name: this.#rule.name, of: this.#rule.counts }
  }

  set counter(counter: Counter) {
    if (this.#start === -1) {
      if (isEmpty(counter)) return
      this.#add(new CounterKey(counter))
    }
    const values = packCounter(counter)
    for (let field = 0; field < VALUES; field++) this.#set(field, values[field])
  }

  toCounters(): Counters {
    if (this.#changedKeys !== undefined) this.#keys = shareKeys(this.#changedKeys)
    this.#changedKeys = undefined
    this.#changedValues = undefined
    return { keys: this.#keys, values: this.#values }
  }

  #find(name: string): number {
    const keys = this.#keys
    const { length } = keys
    const first = this.#index === -1 ? 0 : this.#index
    for (let index = first; index < length; index++) if (keys[index]?.name === name) return index
    for (let index = 0; index < first; index++) if (keys[index]?.name === name) return index
    return -1
  }

  #get(field: number): Value {
    return this.#start === -1 ? undefined : this.#values[this.#start + field]
  }

  #set(field: number, value: Value): void {
    const index = this.#start + field
    if (this.#values[index] === value) return
    this.#editValues()[index] = value
  }

  /** A counter of the same name that counts something else is replaced. */
  #add(key: CounterKey): void {
    const keys = this.#editKeys()
    if (this.#index !== -1) keys[this.#index] = key
    else {
      this.#index = keys.push(key) - 1
      this.#editValues().push(undefined, undefined, undefined, undefined)
      if (keys.length > MAX_COUNTERS) this.#removeFirst()
    }
    this.#start = this.#index * VALUES
  }

  #removeFirst(): void {
    this.#editKeys().shift()
    this.#editValues().splice(0, VALUES)
    this.#index--
  }

  #editKeys(): CounterKey[] {
    this.#changedKeys ??= this.#keys.slice()
    this.#keys = this.#changedKeys
    this.#isChanged = true
    return this.#changedKeys
  }

  #editValues(): Value[] {
    this.#changedValues ??= this.#values.slice()
    this.#values = this.#changedValues
    this.#isChanged = true
    return this.#changedValues
  }
}

function isEmpty({ windows, parts, marks }: Counter): boolean {
  return windows === undefined && parts === undefined && marks === undefined
}
