import { type Command, EXIT, GENERAL_FLAGS, REASON, REMOTE_FLAGS, SETTING_FLAGS, text, UsageError } from '../command.ts'
import { connect } from '../connection.ts'
import { printJson, say } from '../terminal.ts'

export const block: Command = {
  name: 'block',
  operands: 'ID',
  summary: 'Blocks a user; needs --reason.',
  takes: [1, 1],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    ...REASON,
    until: { type: 'string', help: 'ISO 8601; without it until unblocked' },
  },
  async run(call) {
    const id = call.operands[0] ?? ''
    const reason = text(call.flags.reason)
    if (reason === undefined) throw new UsageError('--reason is missing: a block has to be answered for.')
    await using connection = await connect(call)
    const bond = await connection.call('PUT', ['users', id, 'block'], {
      body: { reason, until: text(call.flags.until) },
    })
    if (call.flags.json === true) printJson(call.terminal, bond)
    else say(call.terminal, `${id} is blocked.`)
    return EXIT.ok
  },
}
