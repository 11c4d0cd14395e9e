import type { LimitState } from 'purser'
import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const limit: Command = {
  name: 'limit',
  operands: 'ID NAME reset',
  operandCount: [3, 3],
  summary: 'Sets the use of a limit to 0; requires --reason.',
  flags: { ...API_FLAGS, ...REASON_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', name = '', value] = operands
    if (value !== 'reset') throw new UsageError("The third operand must be 'reset'.")
    const reason = getText(flags.reason)
    if (reason === undefined) throw new UsageError('Missing --reason: it is recorded in the event log.')
    await using connection = await connect(invocation)
    const path = ['users', id, 'limits', name, 'usage']
    const state = (await connection.request('DELETE', path, { body: { reason } })) as LimitState
    if (flags.json === true) printJson(terminal, state)
    else printMessage(terminal, `${state.name}: ${state.used} of ${state.max ?? 'unlimited'} used.`)
    return EXIT.ok
  },
}
