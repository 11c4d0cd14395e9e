import { createAnswerMac } from '../../storage/answer-mac.ts'
import type { AnswerBatch, AnswerRow, AnswerScope, AnswerStore, AnswerTotals } from '../../storage/answer-store.ts'
import { bindMethods } from '../bind-methods.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Script } from './script.ts'
import {
  ANSWER_GENERATION,
  CLEAR_ANSWERS,
  FORGET_ANSWERS,
  GET_ANSWER,
  PAGE_ANSWERS,
  PUT_ANSWERS,
  REMOVE_ANSWER,
  SWEEP_ANSWERS,
  TOUCH_ANSWERS,
} from './scripts/answers.ts'

/*
 * Rows have positions in the order in which they were written. Eviction takes the lowest; a row that was used meanwhile
 * loses its mark and gets the highest position instead. Forgotten rows are removed by the call itself, so no row is dead.
 */

export function createRedisAnswers(connection: Connection, keys: Keys): AnswerStore {
  return bindMethods(new RedisAnswers(connection, keys))
}

class RedisAnswers implements AnswerStore {
  readonly file = null
  readonly #connection: Connection
  readonly #keys: Keys
  /** As this process last read them. */
  readonly #totals = new Map<string, AnswerTotals>()
  /** The latest instant that this process knows, by namespace; only `expired` depends on it. */
  readonly #now = new Map<string, number>()

  constructor(connection: Connection, keys: Keys) {
    this.#connection = connection
    this.#keys = keys
  }

  async generation({ namespace, owner }: AnswerScope): Promise<number> {
    return Number(await this.#connection.eval<string>(ANSWER_GENERATION, this.#keysOf(namespace), [owner]))
  }

  async get({ namespace, owner }: AnswerScope, key: string): Promise<AnswerRow | undefined> {
    const args = [owner, key]
    const [text, generation] = await this.#connection.eval<readonly [string | null, string]>(
      GET_ANSWER,
      this.#keysOf(namespace),
      args,
    )
    const row = text === null ? undefined : rowOf(text)
    return row?.generation === Number(generation) ? row : undefined
  }

  async page(
    { namespace, owner }: AnswerScope,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<readonly AnswerRow[]> {
    const args = [owner, `(${owner}:${after}`, `(${owner};`, String(limit)]
    return (await this.#connection.eval<readonly string[]>(PAGE_ANSWERS, this.#keysOf(namespace), args)).map(rowOf)
  }

  async put({ namespace, rows, limits, macKey }: AnswerBatch): ReturnType<AnswerStore['put']> {
    const mac = createAnswerMac(macKey)
    const { now, maxEntries, maxBytes } = limits
    const args = [String(maxEntries), String(maxBytes)]
    for (const row of rows) {
      const { owner, key, generation, storedAt, expiresAt, bytes, value } = row
      const text = JSON.stringify([key, generation, storedAt, expiresAt, bytes, mac(namespace, row), value])
      args.push(owner, key, String(generation), expiresAt === null ? '' : String(expiresAt), String(bytes), text)
    }
    this.#now.set(namespace, now)
    const result = await this.#write(PUT_ANSWERS, namespace, args)
    const refused = Number(result[3])
    return { refused: result.slice(4, 4 + refused).map(Number), evicted: result.slice(4 + refused).map(String) }
  }

  async touch(namespace: string, uses: Parameters<AnswerStore['touch']>[1]): Promise<void> {
    if (uses.length === 0) return
    const keys = uses.map(({ key }) => key)
    await this.#connection.eval(TOUCH_ANSWERS, this.#keysOf(namespace), keys)
  }

  async remove({ namespace }: AnswerScope, key: string): Promise<void> {
    await this.#write(REMOVE_ANSWER, namespace, [key])
  }

  async forget({ namespace, owner }: AnswerScope): Promise<number> {
    return Number((await this.#write(FORGET_ANSWERS, namespace, [owner, `[${owner}:`, `(${owner};`]))[3])
  }

  async clear(namespace: string): Promise<number> {
    return Number((await this.#write(CLEAR_ANSWERS, namespace, []))[3])
  }

  async sweep(namespace: string, { now, limit }: { readonly now: number; readonly limit: number }): Promise<number> {
    this.#now.set(namespace, now)
    return Number((await this.#write(SWEEP_ANSWERS, namespace, [String(limit)]))[3])
  }

  totals(namespace: string, now: number): AnswerTotals {
    // Other processes write as well.
    this.sweep(namespace, { now, limit: 0 }).catch(() => undefined)
    return this.#totals.get(namespace) ?? { entries: 0, bytes: 0, expired: 0 }
  }

  /** Runs a script that returns the totals first. */
  async #write(script: Script, namespace: string, args: readonly string[]): Promise<readonly (string | number)[]> {
    const now = String(this.#now.get(namespace) ?? 0)
    const result = await this.#connection.eval<readonly (string | number)[]>(script, this.#keysOf(namespace), [
      now,
      ...args,
    ])
    const [entries, bytes, expired] = result.map(Number) as [number, number, number]
    this.#totals.set(namespace, { entries, bytes, expired })
    return result
  }

  #keysOf(namespace: string): readonly string[] {
    return Object.values(this.#keys.of(namespace).answers)
  }
}

function rowOf(text: string): AnswerRow {
  const [key, generation, storedAt, expiresAt, bytes, mac, value] = JSON.parse(text) as [
    string,
    number,
    number,
    number | null,
    number,
    string,
    string,
  ]
  return { key, generation, storedAt, expiresAt, bytes, mac, value }
}
