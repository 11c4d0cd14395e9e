import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const block: Command = {
  name: 'block',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Blocks a user; requires --reason.',
  flags: {
    ...API_FLAGS,
    ...REASON_FLAG,
    until: { type: 'string', help: 'ISO 8601 time at which the block ends (default: when unblocked)' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    const reason = getText(flags.reason)
    if (reason === undefined) throw new UsageError('Missing --reason: it is recorded in the event log.')
    await using connection = await connect(invocation)
    const body = { reason, until: getText(flags.until) }
    const bond = await connection.request('PUT', ['users', id, 'block'], { body })
    if (flags.json === true) printJson(terminal, bond)
    else printMessage(terminal, `${id} is blocked.`)
    return EXIT.ok
  },
}
