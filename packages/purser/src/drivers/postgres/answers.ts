import { createAnswerMac } from '../../storage/answer-mac.ts'
import type { AnswerBatch, AnswerRow, AnswerScope, AnswerStore, AnswerTotals } from '../../storage/answer-store.ts'
import { bindMethods } from '../bind-methods.ts'
import type { Connection } from './connection.ts'
import { decodeText, encodeJson, encodeText } from './text.ts'

/*
 * Rows have positions in the order in which they were written. Eviction takes the lowest; a row that was used meanwhile
 * loses its mark and gets the highest position instead.
 */

const COLUMNS = 'key, generation, stored_at, expires_at, bytes, mac, value'
const EVICTED_AT_ONCE = 256

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
  readonly #table: string
  readonly #generations: string
  /** As this process last read them. */
  readonly #totals = new Map<string, AnswerTotals>()

  constructor(connection: Connection) {
    this.#connection = connection
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
    const written = await this.#connection.query<{ index: number }>({
      text: `WITH new AS (SELECT * FROM json_to_recordset($2) AS new("index" int, owner text, key text, generation int8,
          "storedAt" float8, "expiresAt" float8, bytes int8, mac text, value text)
          WHERE generation = ${this.#generationOf('$1', 'new.owner')}),
        put AS (INSERT INTO ${this.#table} (namespace, owner, key, generation, stored_at, expires_at, bytes, mac, value)
          SELECT $1, owner, key, generation, "storedAt", "expiresAt", bytes, mac, value FROM new
          ON CONFLICT (namespace, owner, key) DO UPDATE SET position = excluded.position,
            generation = excluded.generation, stored_at = excluded.stored_at, expires_at = excluded.expires_at,
            bytes = excluded.bytes, mac = excluded.mac, value = excluded.value, used = false)
        SELECT "index" FROM new`,
      values: [namespace, encodeJson(values)],
    })
    const isWritten = new Set(written.map(({ index }) => index))
    return {
      refused: values.flatMap(({ index }) => (isWritten.has(index) ? [] : [index])),
      evicted: await this.#evict(namespace, limits),
    }
  }

  async touch(namespace: string, uses: Parameters<AnswerStore['touch']>[1]): Promise<void> {
    await this.#connection.query({
      text: `UPDATE ${this.#table} SET used = true FROM json_to_recordset($2) AS use(owner text, key text)
        WHERE answers.namespace = $1 AND answers.owner = use.owner AND answers.key = use.key AND NOT used`,
      values: [namespace, encodeJson(uses)],
    })
  }

  async remove({ namespace, owner }: AnswerScope, key: string): Promise<void> {
    await this.#connection.query({
      text: `DELETE FROM ${this.#table} WHERE namespace = $1 AND owner = $2 AND key = $3`,
      values: [namespace, owner, encodeText(key)],
    })
  }

  async forget({ namespace, owner }: AnswerScope): Promise<number> {
    return this.#end(namespace, owner, 'AND owner = $2')
  }

  async clear(namespace: string): Promise<number> {
    return this.#end(namespace, '', "AND $2 = ''")
  }

  async sweep(namespace: string, { now, limit }: { readonly now: number; readonly limit: number }): Promise<number> {
    const rows = await this.#connection.query({
      text: `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(SELECT a.ctid FROM ${this.#table} AS a
        WHERE namespace = $1 AND (expires_at < $2 OR generation <> ${this.#generationOf('$1', 'a.owner')})
        LIMIT $3)) RETURNING 1`,
      values: [namespace, now, limit],
    })
    await this.#readTotals(namespace, now)
    return rows.length
  }

  totals(namespace: string, now: number): AnswerTotals {
    void this.#readTotals(namespace, now).catch(() => undefined)
    return this.#totals.get(namespace) ?? { entries: 0, bytes: 0, expired: 0 }
  }

  /** Ends generations; resolves to the number of rows that died. */
  async #end(namespace: string, owner: string, condition: string): Promise<number> {
    const [row] = await this.#connection.query<{ died: number }>({
      text: `WITH ended AS (INSERT INTO ${this.#generations} AS known (namespace, owner, generation) VALUES ($1, $2, 2)
          ON CONFLICT (namespace, owner) DO UPDATE SET generation = known.generation + 1)
        SELECT count(*) AS died FROM ${this.#table} AS a WHERE namespace = $1 ${condition}
          AND generation = ${this.#generationOf('$1', 'a.owner')}`,
      values: [namespace, owner],
    })
    return row?.died ?? 0
  }

  async #evict(namespace: string, limits: AnswerBatch['limits']): Promise<readonly string[]> {
    const evicted: string[] = []
    for (;;) {
      const { entries, bytes } = await this.#readTotals(namespace, limits.now)
      if (entries <= limits.maxEntries && bytes <= limits.maxBytes) return evicted
      const removed = await this.#evictSome(namespace, { entries, bytes }, limits)
      evicted.push(...removed)
    }
  }

  /** Removes expired rows first, then unused ones from the lowest position; used ones move to the end. */
  async #evictSome(
    namespace: string,
    { entries, bytes }: Pick<AnswerTotals, 'entries' | 'bytes'>,
    { maxEntries, maxBytes, now }: AnswerBatch['limits'],
  ): Promise<readonly string[]> {
    const expired = await this.#connection.query({
      text: `DELETE FROM ${this.#table} WHERE namespace = $1 AND expires_at < $2 RETURNING 1`,
      values: [namespace, now],
    })
    if (expired.length > 0) return []
    const rows = await this.#connection.query<{ key: string; live: boolean }>({
      text: `WITH lowest AS (SELECT ctid, used, bytes, row_number() OVER w AS n, sum(bytes) OVER w - bytes AS before
          FROM ${this.#table} WHERE namespace = $1 WINDOW w AS (ORDER BY position) ORDER BY position LIMIT ${EVICTED_AT_ONCE}),
        due AS (SELECT ctid, used FROM lowest WHERE n <= $2 OR before < $3),
        moved AS (UPDATE ${this.#table} AS a SET used = false, position = DEFAULT FROM due
          WHERE a.ctid = due.ctid AND due.used),
        gone AS (DELETE FROM ${this.#table} AS a USING due WHERE a.ctid = due.ctid AND NOT due.used
          RETURNING a.key, a.owner, a.generation)
        SELECT key, generation = ${this.#generationOf('$1', 'gone.owner')} AS live FROM gone`,
      values: [namespace, entries - maxEntries, bytes - maxBytes],
    })
    return rows.flatMap(({ key, live }) => (live ? [decodeText(key)] : []))
  }

  async #readTotals(namespace: string, now: number): Promise<AnswerTotals> {
    const [row] = await this.#connection.query<{ entries: number; bytes: number; expired: number }>({
      text: `SELECT count(*) AS entries, coalesce(sum(bytes), 0)::int8 AS bytes,
          count(*) FILTER (WHERE expires_at < $2) AS expired FROM ${this.#table} AS a
        LEFT JOIN ${this.#generations} AS own ON own.namespace = $1 AND own.owner = a.owner AND a.owner <> ''
        WHERE a.namespace = $1
          AND a.generation = ${this.#generationOf('$1', "''")} + coalesce(own.generation - 1, 0)`,
      values: [namespace, now],
    })
    const totals = row ?? { entries: 0, bytes: 0, expired: 0 }
    this.#totals.set(namespace, totals)
    return totals
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
