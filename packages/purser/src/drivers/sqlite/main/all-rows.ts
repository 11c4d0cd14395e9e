import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { RowPage, RowStore, StoredRow } from '../../../storage/row-store.ts'
import { cursorBehind, pageStatement, parseCursor, ROW_BYTES, ROW_SECTIONS, userValues } from '../../row-sections.ts'
import type { Database } from '../database.ts'
import type { Reader, ReaderCalls, Writer, WriterCalls } from '../worker/threads.ts'
import { AMOUNTS, sumValues } from './recorded.ts'
import type { Row } from './rows.ts'

export function createSqliteRows({ reader, writer }: { readonly reader: Reader; readonly writer: Writer }): RowStore {
  return {
    read: (page) => reader.call('readRows', page),
    write: (rows) => writer.call('writeRows', rows),
  }
}

/** The part that runs in the reader thread. */
export function prepareReadRows(connection: DatabaseSync): ReaderCalls['readRows'] {
  return ({ after: cursor, limit, maxBytes = Number.POSITIVE_INFINITY }): RowPage => {
    const { index, after } = parseCursor(cursor)
    const section = ROW_SECTIONS[index]
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
  const addTurn = insertOfUser('turns', ['namespace', 'id', 'outcome', 'value'])
  const sumColumns = ['day', 'hour', 'key', ...AMOUNTS]
  const addUserSum = insertOfUser('user_sums', sumColumns)
  const addSum = insert('sums', ['namespace', ...sumColumns])

  function write(row: StoredRow): void {
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
      case 'turn': {
        const { id, outcome, value } = row.turn
        addTurn.run(row.namespace, id, outcome, value, row.namespace, row.id)
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
      for (const row of rows) write(row)
    })
}
