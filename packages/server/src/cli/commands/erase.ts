import {
  CONFIRM,
  type Command,
  EXIT,
  GENERAL_FLAGS,
  REASON,
  REMOTE_FLAGS,
  SETTING_FLAGS,
  text,
  UsageError,
} from '../command.ts'
import { connect } from '../connection.ts'
import { ask, printJson } from '../terminal.ts'

export const erase: Command = {
  name: 'erase',
  operands: 'ID',
  summary: 'Erases a user for good; needs --reason and a confirmation.',
  takes: [1, 1],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS, ...REASON, ...CONFIRM },
  async run(call) {
    const id = call.operands[0] ?? ''
    const reason = text(call.flags.reason)
    if (reason === undefined) throw new UsageError('--reason is missing: an erasure has to be answered for.')
    const typed = text(call.flags.confirm) ?? (await ask(call.terminal, 'This cannot be undone. Type the id again: '))
    if (typed !== id) throw new UsageError('Not confirmed. Type the id, or give it with --confirm.')
    await using connection = await connect(call)
    printJson(call.terminal, await connection.call('POST', ['users', id, 'erase'], { body: { reason } }))
    return EXIT.ok
  },
}
