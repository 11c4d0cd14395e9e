import type { Context } from 'purser'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { formatCount, print, printJson, printMessage } from '../terminal.ts'

export const context: Command = {
  name: 'context',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Prints what a model would be told about a user now, and from which data.',
  flags: {
    ...API_FLAGS,
    mode: { type: 'string', help: 'plain, reuse or create (default: the configured one)' },
    'budget-ms': { type: 'string', help: 'longest wait for sources' },
    query: { type: 'string', help: 'what the user writes, for sources that need it' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connectReadOnly(invocation)
    await requireUser(connection, id)
    const query = { mode: getText(flags.mode), budgetMs: getText(flags['budget-ms']), query: getText(flags.query) }
    const resolved = (await connection.request('GET', ['users', id, 'context'], {
      query,
      signal: terminal.signal,
    })) as Context
    if (flags.json === true) printJson(terminal, resolved)
    else {
      for (const line of resolved.text.split('\n')) print(terminal, line)
      for (const { name, status, reason, tokens } of resolved.sections)
        printMessage(
          terminal,
          `${name}: ${status}${reason === null ? '' : ` (${reason})`}, ${formatCount(tokens, 'token')}`,
        )
    }
    return EXIT.ok
  },
}
