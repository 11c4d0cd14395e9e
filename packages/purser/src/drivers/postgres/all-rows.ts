import { ROW_BYTES, type RowStore, type StoredRow } from '../../storage/row-store.ts'
import type { SumRow } from '../../storage/sum-store.ts'
import { cursorBehind, pageStatement, parseCursor, ROW_SECTIONS, type RowSection, userValues } from '../row-sections.ts'
import type { Connection, Statement } from './connection.ts'
import { ADDED_AMOUNTS, AMOUNTS } from './migrations/0005-turns.ts'
import { decodeText, encodeJson } from './text.ts'

export function createPostgresRows(connection: Connection): RowStore {
  const { schema } = connection
  const tableOf = (from: string): string =>
    // The parts of a row are one row elsewhere.
    from === 'sums'
      ? `(SELECT namespace, day, hour, key, ${ADDED_AMOUNTS} FROM ${schema}.sums GROUP BY 1, 2, 3, 4) AS sums`
      : from.replace(/^\w+/, `${schema}.$&`).replace('JOIN users', `JOIN ${schema}.users`)
  const statements = insertStatements(schema)
  return {
    async read({ after: cursor, limit, maxBytes = Number.MAX_SAFE_INTEGER }) {
      const { index, after } = parseCursor(cursor)
      const section = ROW_SECTIONS[index]
      if (section === undefined) return { rows: [], next: undefined }
      const statement = boundedStatement(section, { after, limit, maxBytes }, tableOf)
      const page = await connection.query<Record<string, unknown>>(statement)
      const isFull = page.length === limit || Number(page.at(-1)?.bytes ?? 0) >= maxBytes
      return { rows: page.map((columns) => section.toRow(decode(columns))), next: cursorBehind(index, page, isFull) }
    },
    async write(rows) {
      for (const { type } of ROW_SECTIONS) {
        const values = rows.filter((row) => row.type === type).map(valuesOf)
        if (values.length > 0) await connection.query({ text: statements[type], values: [encodeJson(values)] })
      }
    },
  }
}

/** A page that ends with the row that reaches `maxBytes`. The server stops reading there. */
function boundedStatement(
  section: RowSection,
  { after, limit, maxBytes }: { readonly after: readonly unknown[]; readonly limit: number; readonly maxBytes: number },
  tableOf: (from: string) => string,
): Statement {
  const sizes = section.texts.map((column) => `coalesce(octet_length(${column}), 0)`)
  const size = [String(ROW_BYTES), ...sizes].join(' + ')
  const sum = `sum(${size}) OVER (ORDER BY ${section.key.join(', ')} ROWS UNBOUNDED PRECEDING)`
  const columns = [...section.columns, `${size} AS row_bytes`, `${sum} AS bytes`]
  const page = pageStatement({ ...section, columns }, { after, limit }, { tableOf, parameter: (index) => `$${index}` })
  const values = [...page.values, maxBytes]
  const text = `SELECT * FROM (${page.text}) AS page WHERE bytes - row_bytes < $${values.length} ORDER BY bytes`
  return { text, values }
}

/** Decodes the texts of a row, in the same object. */
function decode(columns: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(columns)) if (typeof value === 'string') columns[name] = decodeText(value)
  return columns
}

/** The values of a row, in the order in which its statement reads them. */
function valuesOf(row: StoredRow): unknown[] {
  switch (row.type) {
    case 'incarnation':
      return [row.namespace, row.tag, row.next]
    case 'user':
      return userValues(row)
    case 'record':
      return [row.namespace, row.id, row.kind, row.name, row.value]
    case 'reply':
      return [row.namespace, row.id, row.reply.key, row.reply.digest, row.reply.result, row.reply.expiresAt]
    case 'event': {
      const { sequence, id, at, type, body, mac } = row.event
      return [row.namespace, row.id, row.namespace, sequence, id, at, type, body, mac]
    }
    case 'turn':
      return [row.namespace, row.id, row.namespace, row.turn.id, row.turn.outcome, row.turn.value]
    case 'user_sum':
      return [row.namespace, row.id, ...sumValues(row.sum)]
    case 'sum':
      return [row.namespace, 0, ...sumValues(row.sum)]
    case 'meta':
      return [row.name, row.value]
  }
}

function sumValues({ day, hour, key, amounts }: SumRow): unknown[] {
  return [day, hour, key, ...amounts]
}

const TYPES: Readonly<Record<string, string>> = {
  next: 'bigint',
  incarnation: 'bigint',
  revision: 'bigint',
  head_sequence: 'bigint',
  sequence: 'bigint',
  blocked: 'boolean',
  created_at: 'float8',
  updated_at: 'float8',
  seen_at: 'float8',
  cap_used: 'float8',
  cap_used_until: 'float8',
  peak: 'float8',
  expires_at: 'float8',
  at: 'float8',
  part: 'int',
  hour: 'bigint',
  ...Object.fromEntries(AMOUNTS.map((column) => [column, 'numeric'])),
}

/** Statements that insert a JSON array of rows, each an array of values. */
function insertStatements(schema: string): Readonly<Record<StoredRow['type'], string>> {
  const valueAt = (column: string, index: number): string => `(r->>${index})::${TYPES[column] ?? 'text'}`
  const rows = 'json_array_elements($1) WITH ORDINALITY AS rows(r, n)'
  const insert = (table: string, columns: readonly string[]): string =>
    `INSERT INTO ${schema}.${table} (${columns.join(', ')})
      SELECT ${columns.map(valueAt).join(', ')} FROM ${rows} ORDER BY n ON CONFLICT DO NOTHING`
  const insertOfUser = (table: string, columns: readonly string[]): string =>
    `INSERT INTO ${schema}.${table} (uid, ${columns.join(', ')})
      SELECT users.uid, ${columns.map((column, index) => valueAt(column, index + 2)).join(', ')}
      FROM ${rows} JOIN ${schema}.users ON users.namespace = r->>0 AND users.id = r->>1 ORDER BY n ON CONFLICT DO NOTHING`
  return {
    incarnation: insert('incarnations', ['namespace', 'tag', 'next']),
    user: insert('users', ROW_SECTIONS.find(({ type }) => type === 'user')?.columns ?? []),
    record: insertOfUser('records', ['kind', 'name', 'value']),
    reply: insertOfUser('replies', ['key', 'digest', 'result', 'expires_at']),
    event: insertOfUser('events', ['namespace', 'sequence', 'id', 'at', 'type', 'body', 'mac']),
    turn: insertOfUser('turns', ['namespace', 'id', 'outcome', 'value']),
    user_sum: insertOfUser('user_sums', ['day', 'hour', 'key', ...AMOUNTS]),
    sum: insert('sums', ['namespace', 'part', 'day', 'hour', 'key', ...AMOUNTS]),
    meta: insert('meta', ['name', 'value']),
  }
}
