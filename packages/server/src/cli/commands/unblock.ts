import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const unblock: Command = {
  name: 'unblock',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Unblocks a user.',
  flags: { ...API_FLAGS, ...REASON_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connect(invocation)
    const body = { reason: getText(flags.reason) }
    const bond = await connection.request('DELETE', ['users', id, 'block'], { body })
    if (flags.json === true) printJson(terminal, bond)
    else printMessage(terminal, `${id} is unblocked.`)
    return EXIT.ok
  },
}
