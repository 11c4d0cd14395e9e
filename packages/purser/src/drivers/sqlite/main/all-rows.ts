import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { ROW_BYTES, type RowPage, type RowStore, type StoredRow } from '../../../storage/row-store.ts'
import {
  cursorBehind,
  pageStatement,
  parseCursor,
  ROW_SECTIONS,
  type RowSection,
  userValues,
} from '../../row-sections.ts'
import type { Database } from '../database.ts'
import type { Reader, ReaderCalls, Writer, WriterCalls } from '../worker/threads.ts'
import type { WhenFolded } from './folded-reads.ts'
import type { Row } from './rows.ts'
import { AMOUNTS, sumValues } from './sums.ts'
import { prepareTurnRows } from './turn-rows.ts'

/** The entries by id are a table here. */
const SECTIONS: readonly RowSection[] = ROW_SECTIONS.map((section) =>
  section.type === 'turn'
    ? {
        ...section,
        from: 'turns_by_id AS entries CROSS JOIN turns USING (position) CROSS JOIN users USING (uid)',
        key: ['entries.namespace', 'entries.id'],
      }
    : section,
)

export interface SqliteRowsDeps {
  readonly reader: Reader
  readonly writer: Writer
  readonly whenFolded: WhenFolded
}

export function createSqliteRows({ reader, writer, whenFolded }: SqliteRowsDeps): RowStore {
  return {
    async read(page) {
      await whenFolded()
      return reader.call('readRows', page)
    },
    write: (rows) => writer.call('writeRows', rows),
  }
}

/** The part that runs in the reader thread. */
export function prepareReadRows(connection: DatabaseSync): ReaderCalls['readRows'] {
  return ({ after: cursor, limit, maxBytes = Number.POSITIVE_INFINITY }): RowPage => {
    const { index, after } = parseCursor(cursor)
    const section = SECTIONS[index]
    if (section === undefined) return { rows: [], next: undefined }
    const { text, values } = pageStatement(
      section,
      { after, limit },
      { tableOf: (from) => from, parameter: (number) => `?${number}` },
    )
    const page: Row[] = []
    let bytes = 0
    for (const columns of connection.prepare(text).iterate(...(values as SQLInputValue[]))) {
      page.push(columns)
      bytes += section.texts.reduce((sum, name) => sum + String(columns[name] ?? '').length, ROW_BYTES)
      if (bytes >= maxBytes) break
    }
    const isFull = page.length === limit || bytes >= maxBytes
    return { rows: page.map(section.toRow), next: cursorBehind(index, page, isFull) }
  }
}

/** The part that runs in the writer thread. */
export function prepareWriteRows(main: Database): WriterCalls['writeRows'] {
  const userColumns = ROW_SECTIONS.find(({ type }) => type === 'user')?.columns ?? []
  const insert = (table: string, columns: readonly string[]): ReturnType<Database['prepare']> =>
    main.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
      ON CONFLICT DO NOTHING`)
  const insertOfUser = (table: string, columns: readonly string[]): ReturnType<Database['prepare']> =>
    main.prepare(`INSERT INTO ${table} (uid, ${columns.join(', ')}) SELECT uid, ${columns.map(() => '?').join(', ')}
      FROM users WHERE namespace = ? AND id = ? ON CONFLICT DO NOTHING`)
  const addIncarnation = insert('incarnations', ['namespace', 'tag', 'next'])
  const addUser = insert('users', userColumns)
  const addMeta = insert('meta', ['name', 'value'])
  const addRecord = insertOfUser('records', ['kind', 'name', 'value'])
  const addReply = insertOfUser('replies', ['key', 'digest', 'result', 'expires_at'])
  const addEvent = insertOfUser('events', ['namespace', 'sequence', 'id', 'at', 'type', 'body', 'mac'])
  const writeTurns = prepareWriteTurns(main)
  const sumColumns = ['day', 'hour', 'key', ...AMOUNTS]
  const addUserSum = insertOfUser('user_sums', sumColumns)
  const addSum = insert('sums', ['namespace', ...sumColumns])

  function write(row: Exclude<StoredRow, { type: 'turn' }>): void {
    switch (row.type) {
      case 'incarnation':
        addIncarnation.run(row.namespace, row.tag, row.next)
        return
      case 'user':
        addUser.run(
          ...userValues(row).map((value) => (typeof value === 'boolean' ? Number(value) : (value as SQLInputValue))),
        )
        return
      case 'record':
        addRecord.run(row.kind, row.name, row.value, row.namespace, row.id)
        return
      case 'reply': {
        const { key, digest, result, expiresAt } = row.reply
        addReply.run(key, digest, result, expiresAt, row.namespace, row.id)
        return
      }
      case 'event': {
        const { sequence, id, at, type, body, mac } = row.event
        addEvent.run(row.namespace, sequence, id, at, type, body, mac, row.namespace, row.id)
        return
      }
      case 'user_sum':
        addUserSum.run(...sumValues(row.sum), row.namespace, row.id)
        return
      case 'sum':
        addSum.run(row.namespace, ...sumValues(row.sum))
        return
      case 'meta':
        addMeta.run(row.name, row.value)
    }
  }

  return (rows) =>
    main.write(() => {
      const turns = rows.filter((row) => row.type === 'turn')
      for (const row of rows) if (row.type !== 'turn') write(row)
      writeTurns(turns)
    })
}

/** Turns with their entries; those that are stored already are left out. */
function prepareWriteTurns(main: Database): (rows: readonly Extract<StoredRow, { type: 'turn' }>[]) => void {
  const add = main.prepare(`INSERT INTO turns (uid, namespace, id, outcome, value)
    SELECT uid, namespace, ?3, ?4, ?5 FROM users WHERE namespace = ?1 AND id = ?2
      AND NOT EXISTS (SELECT 1 FROM turns_by_id WHERE namespace = ?1 AND id = ?3)`)
  const { listById, listByUser } = prepareTurnRows(main)
  return (rows) => {
    const positions: number[] = []
    for (const { namespace, id: user, turn } of rows) {
      const { changes, lastInsertRowid } = add.run(namespace, user, turn.id, turn.outcome, turn.value)
      if (changes === 1) positions.push(Number(lastInsertRowid))
    }
    const [first, last] = [positions[0], positions.at(-1)]
    if (first === undefined || last === undefined) return
    // No other connection has written between them.
    listById(first - 1, last)
    listByUser(positions)
  }
}
