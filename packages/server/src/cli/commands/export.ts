import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { escapeLines } from '../../app/escape-controls.ts'
import type { Command, Invocation } from '../command.ts'
import { type Connection, connectReadOnly, requireUser } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { createCounter, createProgress } from '../progress.ts'
import { formatCount, printMessage } from '../terminal.ts'

const PAGE_SIZE = '200'
const NEWLINE = 10

export const exportUser: Command = {
  name: 'export',
  operands: '[ID]',
  operandCount: [0, 1],
  summary: 'Exports all stored data of a user, or with --all of all users, as JSON lines, without secrets.',
  flags: {
    ...API_FLAGS,
    all: { type: 'boolean', help: 'all users, one after the other' },
    output: { type: 'string', help: 'write to a new file with mode 0600 (default stdout)' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id] = operands
    if ((id === undefined) === (flags.all !== true))
      throw new UsageError('Usage: purser export ID, or purser export --all')
    await using connection = await connectReadOnly(invocation)
    if (id !== undefined) await requireUser(connection, id)
    const path = getText(flags.output)
    let lines = 0
    const source = countLines(
      id === undefined ? exportAll(connection, invocation) : exportOne(connection, id, invocation),
      (count) => {
        lines += count
      },
    )
    if (path === undefined) await pipeline(source, escapeChunks, terminal.stdout, { end: false })
    else await pipeline(source, escapeChunks, createWriteStream(path, { mode: 0o600, flags: 'wx' }))
    if (path !== undefined) printMessage(terminal, `Wrote ${formatCount(lines, 'line')} to ${path}.`)
    return EXIT.ok
  },
}

async function* exportOne(connection: Connection, id: string, { terminal }: Invocation): AsyncIterable<Uint8Array> {
  const counter = createCounter(terminal, 'lines')
  let count = 0
  try {
    const rows = countLines(read(connection, id, terminal.signal), (more) => {
      count += more
      counter.update({ label: 'Exporting', count })
    })
    yield* rows
  } finally {
    counter.end()
  }
}

/** Users in the order of their ids. The export of one who is erased meanwhile has no rows. */
async function* exportAll(connection: Connection, { terminal }: Invocation): AsyncIterable<Uint8Array> {
  const progress = createProgress(terminal, 'Exporting')
  let [done, total, cursor] = [0, 0, undefined as string | undefined]
  try {
    do {
      const query = { orderBy: 'id', order: 'asc', limit: PAGE_SIZE, cursor, total: 'true' }
      const page = (await connection.request('GET', ['users'], { query, signal: terminal.signal })) as {
        data: { user: string }[]
        cursor: string | null
        total: number
      }
      if (cursor === undefined) total = page.total
      for (const { user } of page.data) {
        yield* read(connection, user, terminal.signal)
        done += 1
        progress.update(done / Math.max(total, done))
      }
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)
  } finally {
    progress.end()
  }
}

async function* read(connection: Connection, id: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const response = await connection.stream(['users', id, 'export'], { signal })
  for await (const chunk of response.body ?? []) yield chunk as Uint8Array
}

async function* countLines(
  chunks: AsyncIterable<Uint8Array>,
  count: (lines: number) => void,
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    let lines = 0
    for (const byte of chunk) if (byte === NEWLINE) lines += 1
    count(lines)
    yield chunk
  }
}

/** The rows as a terminal may show them. They stay the same JSON. */
async function* escapeChunks(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) yield escapeLines(decoder.decode(chunk, { stream: true }))
  yield escapeLines(decoder.decode())
}
