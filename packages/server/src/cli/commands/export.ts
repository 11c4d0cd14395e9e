import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { escapeLines } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { printMessage } from '../terminal.ts'

const NEWLINE = 10

export const exportUser: Command = {
  name: 'export',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Exports all stored data of a user as JSON lines, without secrets.',
  flags: {
    ...API_FLAGS,
    output: { type: 'string', help: 'write to a new file with mode 0600 (default stdout)' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const { stdout, stderr, signal } = terminal
    await using connection = await connectReadOnly(invocation)
    const id = operands[0] ?? ''
    await requireUser(connection, id)
    const response = await connection.stream(['users', id, 'export'], { signal })
    const path = getText(flags.output)
    let lines = 0
    const source = Readable.fromWeb(response.body as never).on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === NEWLINE) lines += 1
      if (stderr.isTTY === true) stderr.write(`\r${lines} lines`)
    })
    if (path === undefined) await pipeline(source, escapeChunks, stdout, { end: false })
    else await pipeline(source, escapeChunks, createWriteStream(path, { mode: 0o600, flags: 'wx' }))
    if (stderr.isTTY === true) printMessage(terminal, '')
    if (path !== undefined) printMessage(terminal, `Wrote ${lines} lines to ${path}.`)
    return EXIT.ok
  },
}

/** The rows as a terminal may show them. They stay the same JSON. */
async function* escapeChunks(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) yield escapeLines(decoder.decode(chunk, { stream: true }))
  yield escapeLines(decoder.decode())
}
