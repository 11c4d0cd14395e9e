import { createAnswerMac } from '../../storage/answer-mac.ts'
import type { AnswerBatch, AnswerRow, AnswerScope, AnswerStore, AnswerTotals } from '../../storage/answer-store.ts'
import { bindMethods } from '../bind-methods.ts'
import type { Connection } from './connection.ts'
import { decodeText, encodeJson, encodeText } from './text.ts'

/*
 * Rows have positions in the order in which they were written. Eviction takes the lowest; a row that was used meanwhile
 * loses its mark and gets the highest position instead. Writes of a namespace are SQL functions that take turns under the
 * row with its totals (`migrations/0002-answer-totals.ts`), and return them.
 */

const COLUMNS = 'key, generation, stored_at, expires_at, bytes, mac, value'

/** Totals as every function that writes returns them. */
interface Counted {
  readonly entries: number
  readonly bytes: number
}

interface Put {
  /** Indexes of the rows that were written. */
  readonly written: readonly number[]
  readonly evicted: readonly string[]
  /** The limits are still exceeded: one call evicts a limited number of rows. */
  readonly isOver: boolean
}

const NOTHING: AnswerTotals = { entries: 0, bytes: 0, expired: 0 }

interface Row {
  readonly key: string
  readonly generation: number
  readonly stored_at: number
  readonly expires_at: number | null
  readonly bytes: number
  readonly mac: string
  readonly value: string
}

export function createPostgresAnswers(connection: Connection): AnswerStore {
  return bindMethods(new PostgresAnswers(connection))
}

class PostgresAnswers implements AnswerStore {
  readonly file = null
  readonly #connection: Connection
  readonly #schema: string
  readonly #table: string
  readonly #generations: string
  /** As this process last read them. */
  readonly #totals = new Map<string, AnswerTotals>()

  constructor(connection: Connection) {
    this.#connection = connection
    this.#schema = connection.schema
    this.#table = `${connection.schema}.answers`
    this.#generations = `${connection.schema}.answer_generations`
  }

  /** The generation of a scope is that of its owner and of its namespace (owner `''`) together. */
  async generation({ namespace, owner }: AnswerScope): Promise<number> {
    const [row] = await this.#connection.query<{ generation: number }>({
      name: 'generation',
      text: `SELECT ${this.#generationOf('$1', '$2')} AS generation`,
      values: [namespace, owner],
    })
    return row?.generation ?? 1
  }

  async get({ namespace, owner }: AnswerScope, key: string): Promise<AnswerRow | undefined> {
    const [row] = await this.#connection.query<Row>({
      name: 'answer',
      text: `SELECT ${COLUMNS} FROM ${this.#table} WHERE namespace = $1 AND owner = $2 AND key = $3
        AND generation = ${this.#generationOf('$1', '$2')}`,
      values: [namespace, owner, encodeText(key)],
    })
    return row && rowOf(row)
  }

  async page(
    { namespace, owner }: AnswerScope,
    { after, limit }: { readonly after: string; readonly limit: number },
  ): Promise<readonly AnswerRow[]> {
    const rows = await this.#connection.query<Row>({
      text: `SELECT ${COLUMNS} FROM ${this.#table} WHERE namespace = $1 AND owner = $2 AND key > $3
        AND generation = ${this.#generationOf('$1', '$2')} ORDER BY key LIMIT $4`,
      values: [namespace, owner, encodeText(after), limit],
    })
    return rows.map(rowOf)
  }

  async put({ namespace, rows, limits, macKey }: AnswerBatch): ReturnType<AnswerStore['put']> {
    const mac = createAnswerMac(macKey)
    const values = rows.map((row, index) => ({ ...row, index, mac: mac(namespace, row) }))
    const { maxEntries, maxBytes, now } = limits
    const evicted: string[] = []
    let written: readonly number[] | undefined
    for (let batch: readonly object[] = values; ; batch = []) {
      const result = await this.#write<Put>('put_answers($1, $2, $3, $4, $5)', namespace, [
        encodeJson(batch),
        maxEntries,
        maxBytes,
        now,
      ])
      written ??= result.written
      evicted.push(...result.evicted.map(decodeText))
      if (!result.isOver) break
    }
    const isWritten = new Set(written)
    return { refused: values.flatMap(({ index }) => (isWritten.has(index) ? [] : [index])), evicted }
  }

  async touch(namespace: string, uses: Parameters<AnswerStore['touch']>[1]): Promise<void> {
    await this.#connection.query({
      text: `WITH locked AS MATERIALIZED (SELECT ${this.#schema}.lock_answers($1))
        UPDATE ${this.#table} SET used = true FROM locked, json_to_recordset($2) AS use(owner text, key text)
        WHERE answers.namespace = $1 AND answers.owner = use.owner AND answers.key = use.key AND NOT used`,
      values: [namespace, encodeJson(uses)],
    })
  }

  async remove({ namespace, owner }: AnswerScope, key: string): Promise<void> {
    await this.#write('remove_answer($1, $2, $3)', namespace, [owner, encodeText(key)])
  }

  async forget({ namespace, owner }: AnswerScope): Promise<number> {
    return (await this.#write<{ readonly died: number }>('forget_answers($1, $2)', namespace, [owner])).died
  }

  clear(namespace: string): Promise<number> {
    return this.forget({ namespace, owner: '' })
  }

  async sweep(namespace: string, { now, limit }: { readonly now: number; readonly limit: number }): Promise<number> {
    const call = 'sweep_answers($1, $2, $3)'
    const { removed } = await this.#write<{ readonly removed: number }>(call, namespace, [now, limit])
    await this.#readTotals(namespace, now)
    return removed
  }

  totals(namespace: string, now: number): AnswerTotals {
    // Other processes write as well.
    void this.#readTotals(namespace, now).catch(() => undefined)
    return this.#totals.get(namespace) ?? NOTHING
  }

  /** Calls a function whose first argument is the namespace. */
  async #write<Result extends object>(call: string, namespace: string, values: readonly unknown[]): Promise<Result> {
    const [row] = await this.#connection.query<{ result: Result & Counted }>({
      name: call,
      text: `SELECT ${this.#schema}.${call} AS result`,
      values: [namespace, ...values],
    })
    const { result } = row as { readonly result: Result & Counted }
    const { entries, bytes } = result
    const { expired } = this.#totals.get(namespace) ?? NOTHING
    this.#totals.set(namespace, { entries, bytes, expired: Math.min(expired, entries) })
    return result
  }

  async #readTotals(namespace: string, now: number): Promise<void> {
    const [row] = await this.#connection.query<AnswerTotals>({
      text: `SELECT t.entries, t.bytes,
          (SELECT count(*) FROM ${this.#table} AS a
            LEFT JOIN ${this.#generations} AS own ON own.namespace = $1 AND own.owner = a.owner AND a.owner <> ''
            WHERE a.namespace = $1 AND a.expires_at < $2
              AND a.generation = ${this.#generationOf('$1', "''")} + coalesce(own.generation - 1, 0)) AS expired
        FROM ${this.#schema}.answer_totals AS t WHERE t.namespace = $1`,
      values: [namespace, now],
    })
    this.#totals.set(namespace, row ?? NOTHING)
  }

  #generationOf(namespace: string, owner: string): string {
    return `(SELECT 1 + coalesce(sum(generation - 1), 0)::int8 FROM ${this.#generations}
      WHERE namespace = ${namespace} AND answer_generations.owner IN (${owner}, ''))`
  }
}

function rowOf({ key, generation, stored_at, expires_at, bytes, mac, value }: Row): AnswerRow {
  return {
    key: decodeText(key),
    generation,
    storedAt: stored_at,
    expiresAt: expires_at,
    bytes,
    mac: decodeText(mac),
    value: decodeText(value),
  }
}
