import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { requireKnown } from '../require-user.ts'
import { say } from '../terminal.ts'

export const exportUser: Command = {
  name: 'export',
  operands: 'ID',
  summary: 'Everything kept of a user, as lines of JSON; no secrets.',
  takes: [1, 1],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    output: { type: 'string', help: 'a new file, readable by you alone (default stdout)' },
  },
  async run(call) {
    const { terminal, flags, operands } = call
    await using connection = await connectToLook(call)
    const id = operands[0] ?? ''
    await requireKnown(connection, id)
    const response = await connection.open(['users', id, 'export'], { signal: terminal.interrupted })
    const path = text(flags.output)
    let lines = 0
    const counted = Readable.fromWeb(response.body as never).on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) lines += 1
      if (terminal.talk.isTTY === true) terminal.talk.write(`\r${lines} lines`)
    })
    if (path === undefined) await pipeline(counted, terminal.output, { end: false })
    else await pipeline(counted, createWriteStream(path, { mode: 0o600, flags: 'wx' }))
    if (terminal.talk.isTTY === true) say(terminal, '')
    if (path !== undefined) say(terminal, `${lines} lines in ${path}`)
    return EXIT.ok
  },
}
