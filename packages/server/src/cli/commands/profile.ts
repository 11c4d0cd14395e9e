import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { print, printJson } from '../terminal.ts'

export const profile: Command = {
  name: 'profile',
  operands: 'ID',
  operandCount: [1, 1],
  summary: "Prints a user's profile.",
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connectReadOnly(invocation)
    const fields = (await connection.request('GET', ['users', id, 'profile'])) as Record<string, unknown>
    if (Object.keys(fields).length === 0) await requireUser(connection, id)
    if (flags.json === true) printJson(terminal, fields)
    else {
      for (const [name, value] of Object.entries(fields)) {
        print(terminal, escapeControls(`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`))
      }
    }
    return EXIT.ok
  },
}
