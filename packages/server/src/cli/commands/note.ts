import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS } from '../command.ts'
import { connect } from '../connection.ts'
import { printJson, readInput, say } from '../terminal.ts'

export const note: Command = {
  name: 'note',
  operands: 'ID [TEXT]',
  summary: 'Adds a note; without TEXT it comes on stdin.',
  takes: [1, 2],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS },
  async run(call) {
    const [id = '', given] = call.operands
    const body = { text: given ?? (await readInput(call.terminal)).trimEnd() }
    await using connection = await connect(call)
    const added = await connection.call('POST', ['users', id, 'notes'], { body })
    if (call.flags.json === true) printJson(call.terminal, added)
    else say(call.terminal, 'Noted.')
    return EXIT.ok
  },
}
