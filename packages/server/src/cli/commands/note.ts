import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { printJson, printMessage, readStdin } from '../terminal.ts'

export const note: Command = {
  name: 'note',
  operands: 'ID [TEXT]',
  operandCount: [1, 2],
  summary: 'Adds a note; reads it from stdin without TEXT.',
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', text] = operands
    const body = { text: text ?? (await readStdin(terminal)).trimEnd() }
    await using connection = await connect(invocation)
    const added = await connection.request('POST', ['users', id, 'notes'], { body })
    if (flags.json === true) printJson(terminal, added)
    else printMessage(terminal, 'Note added.')
    return EXIT.ok
  },
}
