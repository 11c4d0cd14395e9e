import type { ApiKey } from '../../auth/api-keys.ts'
import type { Command } from '../command.ts'
import { connectReadOnly } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { printJson, printTable } from '../terminal.ts'

export const keysList: Command = {
  name: 'keys list',
  operands: '',
  operandCount: [0, 0],
  summary: 'Lists API keys, without their secrets.',
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags } = invocation
    await using connection = await connectReadOnly(invocation)
    const list = (await connection.request('GET', ['keys'])) as { data: ApiKey[]; cursor: null }
    if (flags.json === true) printJson(terminal, list)
    else {
      const rows = list.data.map((key) => [key.id, key.role, key.name, key.user, key.createdAt])
      printTable(terminal, ['id', 'role', 'name', 'user', 'created'], rows)
    }
    return EXIT.ok
  },
}
