import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS } from '../command.ts'
import { connect } from '../connection.ts'
import { printJson, say } from '../terminal.ts'

export const keysRevoke: Command = {
  name: 'keys revoke',
  operands: 'KEY_ID',
  summary: 'Revokes a key; it stops working within a second everywhere.',
  takes: [1, 1],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS },
  async run(call) {
    const id = call.operands[0] ?? ''
    await using connection = await connect(call)
    await connection.call('DELETE', ['keys', id])
    if (call.flags.json === true) printJson(call.terminal, { revoked: id })
    else say(call.terminal, `${id} is revoked.`)
    return EXIT.ok
  },
}
