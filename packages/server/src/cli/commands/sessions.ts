import type { Session } from 'purser'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { printJson, printTable } from '../terminal.ts'

export const sessions: Command = {
  name: 'sessions',
  operands: 'ID',
  operandCount: [1, 1],
  summary: "Lists a user's sessions, which pin or follow the settings.",
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connectReadOnly(invocation)
    const list = (await connection.request('GET', ['users', id, 'sessions'])) as { data: Session[] }
    if (list.data.length === 0) await requireUser(connection, id)
    if (flags.json === true) printJson(terminal, list)
    else {
      const rows = list.data.map((session) => [session.id, session.policy, session.createdAt, session.lastUsedAt])
      printTable(terminal, ['session', 'policy', 'started', 'last used'], rows)
    }
    return EXIT.ok
  },
}
