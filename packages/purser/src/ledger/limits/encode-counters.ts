import type { Amount } from './amount.ts'
import { PART } from './counter-use.ts'
import { type CounterKey, type Counters, FROM, NAME, REST, type Rest, USED, VALUES, type Value } from './counters.ts'

/*
 * The JSON of the counters of one user. It is made for every commit that admits the user, so what seldom changes is made once:
 * the texts of keys and of names of windows, which users share, and those of what a counter has beside its newest window.
 */
export function encodeCounters(counters: Counters): string {
  const encoder = new CountersEncoder(counters)
  const { length } = counters.keys
  const texts = new Array<string>(length)
  for (let index = 0; index < length; index++) texts[index] = encoder.encodeAt(index)
  return `[${texts.join()}]`
}

class CountersEncoder {
  readonly #keys: readonly CounterKey[]
  readonly #values: readonly Value[]
  /** The start that was written last: several windows of a user begin at the same instant. */
  #from: number | undefined
  #fromText = ''

  constructor({ keys, values }: Counters) {
    this.#keys = keys
    this.#values = values
  }

  encodeAt(index: number): string {
    const values = this.#values
    const key = this.#keys[index] as CounterKey
    const start = index * VALUES
    const rest = values[start + REST] as Rest | undefined
    const name = values[start + NAME] as string | typeof PART | undefined
    const from = values[start + FROM] as number | undefined
    const amount = values[start + USED] as Amount
    const used = typeof amount === 'number' ? amount : JSON.stringify(amount)
    if (from === undefined) return `${key.json}${rest === undefined ? '' : encodeLists(rest)}}`
    if (name === PART) {
      const earlier = rest?.parts === undefined ? '' : `${rest.parts.json},`
      return `${key.json},"parts":[${earlier}${from},${used}]${encodeMarks(rest)}}`
    }
    const window = `${key.jsonUntilStart(name, rest?.earlier?.json)}${this.#untilUsed(from)}${used}`
    return rest === undefined ? `${window}}]}` : `${window}${encodeMeasured(rest)}}]${encodeLists(rest)}}`
  }

  #untilUsed(from: number): string {
    if (from !== this.#from) {
      this.#from = from
      this.#fromText = `${from},"used":`
    }
    return this.#fromText
  }
}

function encodeMeasured({ inputTokens, outputTokens, reported }: Rest): string {
  const input = inputTokens === undefined ? '' : `,"inputTokens":${inputTokens}`
  const output = outputTokens === undefined ? '' : `,"outputTokens":${outputTokens}`
  return reported === undefined ? input + output : `${input}${output},"reported":[${reported.json}]`
}

function encodeLists(rest: Rest): string {
  return rest.parts === undefined ? encodeMarks(rest) : `,"parts":[${rest.parts.json}]${encodeMarks(rest)}`
}

function encodeMarks(rest: Rest | undefined): string {
  return rest?.marks === undefined ? '' : `,"marks":[${rest.marks.json}]`
}
