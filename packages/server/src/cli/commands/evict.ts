import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const evict: Command = {
  name: 'evict',
  operands: 'ID',
  operandCount: [1, 1],
  summary: "Closes a user's live clients in every process, when their last use ends.",
  flags: { ...API_FLAGS, ...REASON_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connectReadOnly(invocation)
    await requireUser(connection, id)
    await connection.request('POST', ['users', id, 'evict'], { body: { reason: getText(flags.reason) } })
    if (flags.json === true) printJson(terminal, { evicted: id })
    else printMessage(terminal, escapeControls(`The next turn of ${id} opens new clients.`))
    return EXIT.ok
  },
}
