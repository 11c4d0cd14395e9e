import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const keysRevoke: Command = {
  name: 'keys revoke',
  operands: 'KEY_ID',
  operandCount: [1, 1],
  summary: 'Revokes an API key; every process rejects it within a second.',
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connect(invocation)
    await connection.request('DELETE', ['keys', id])
    if (flags.json === true) printJson(terminal, { revoked: id })
    else printMessage(terminal, `Key ${id} is revoked.`)
    return EXIT.ok
  },
}
