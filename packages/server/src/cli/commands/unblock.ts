import { type Command, EXIT, GENERAL_FLAGS, REASON, REMOTE_FLAGS, SETTING_FLAGS, text } from '../command.ts'
import { connect } from '../connection.ts'
import { printJson, say } from '../terminal.ts'

export const unblock: Command = {
  name: 'unblock',
  operands: 'ID',
  summary: 'Unblocks a user.',
  takes: [1, 1],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS, ...REASON },
  async run(call) {
    const id = call.operands[0] ?? ''
    await using connection = await connect(call)
    const bond = await connection.call('DELETE', ['users', id, 'block'], { body: { reason: text(call.flags.reason) } })
    if (call.flags.json === true) printJson(call.terminal, bond)
    else say(call.terminal, `${id} is not blocked any more.`)
    return EXIT.ok
  },
}
