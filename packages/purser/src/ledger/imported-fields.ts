import { isObject, parseInstant, parseInteger, parseOneOf, parseText, throwInvalid } from '../core/validate.ts'
import type { Amount } from './limits/amount.ts'
import { parseMoney } from './limits/money.ts'

const TEXT_MAX_BYTES = 1_024
const MAX_ITEMS = 64
const MAX_COUNT = 1_000_000_000_000

/** Reads the fields of one object. Names of nested fields have their path. */
export class Fields {
  readonly #value: Readonly<Record<string, unknown>>
  readonly #path: string

  constructor(value: unknown, path: string) {
    if (!isObject(value)) throwInvalid(`'${path || 'row'}' must be an object.`, { name: path })
    this.#value = value
    this.#path = path === '' ? '' : `${path}.`
  }

  text(name: string, maxBytes: number = TEXT_MAX_BYTES): string {
    return parseText(this.#value[name], { name: this.#path + name, maxBytes })
  }

  textOrNull(name: string): string | null {
    return this.#value[name] === null ? null : this.text(name)
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    return parseOneOf(this.#value[name], choices, { name: this.#path + name })
  }

  count(name: string): number {
    return parseInteger(this.#value[name], { name: this.#path + name, min: 0, max: MAX_COUNT })
  }

  countOrNull(name: string): number | null {
    return this.#value[name] === null ? null : this.count(name)
  }

  instant(name: string): number {
    return parseInstant(this.#value[name], { name: this.#path + name })
  }

  money(name: string): Amount {
    return parseMoney(this.#value[name], { name: this.#path + name })
  }

  duration(name: string): number {
    const value = this.#value[name]
    if (typeof value === 'number' && value >= 0 && value <= MAX_COUNT) return value
    return throwInvalid(`'${this.#path}${name}' must be a number of milliseconds, 0 or more.`, { name })
  }

  durationOrNull(name: string): number | null {
    return this.#value[name] === null ? null : this.duration(name)
  }

  list<Item>(name: string, parse: (fields: Fields) => Item): Item[] {
    const path = this.#path + name
    return this.#items(name, MAX_ITEMS).map((item, index) => parse(new Fields(item, `${path}[${index}]`)))
  }

  texts(name: string, maxItems: number): string[] {
    const path = this.#path + name
    return this.#items(name, maxItems).map((item, index) =>
      parseText(item, { name: `${path}[${index}]`, maxBytes: TEXT_MAX_BYTES }),
    )
  }

  #items(name: string, maxItems: number): readonly unknown[] {
    const value = this.#value[name]
    const path = this.#path + name
    if (Array.isArray(value) && value.length <= maxItems) return value
    return throwInvalid(`'${path}' must be a list of at most ${maxItems} items.`, { name: path })
  }

  fields(name: string): Fields {
    return new Fields(this.#value[name], this.#path + name)
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined
  }

  isNull(name: string): boolean {
    return this.#value[name] === null
  }
}
