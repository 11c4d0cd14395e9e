import type { Key } from '../../auth/api-keys.ts'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { printJson, printTable } from '../terminal.ts'

export const keysList: Command = {
  name: 'keys list',
  operands: '',
  summary: 'Lists keys, never the keys themselves.',
  takes: [0, 0],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS },
  async run(call) {
    await using connection = await connectToLook(call)
    const list = (await connection.call('GET', ['keys'])) as { data: Key[]; cursor: null }
    if (call.flags.json === true) printJson(call.terminal, list)
    else {
      const rows = list.data.map((key) => [key.id, key.role, key.name, key.user, key.createdAt])
      printTable(call.terminal, ['id', 'role', 'name', 'user', 'created'], rows)
    }
    return EXIT.ok
  },
}
