import type { Event } from 'purser'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { printJson, printMessage, printTable } from '../terminal.ts'

export const events: Command = {
  name: 'events',
  operands: 'ID',
  operandCount: [1, 1],
  summary: "Prints a user's event log, newest first.",
  flags: {
    ...API_FLAGS,
    limit: { type: 'string', help: 'number of events (default 50)' },
    before: { type: 'string', help: 'only events before this sequence number' },
    types: { type: 'string', help: 'only these event types, separated by commas' },
  },
  async run(invocation) {
    const { flags, terminal, operands } = invocation
    await using connection = await connectReadOnly(invocation)
    const id = operands[0] ?? ''
    const query = { limit: getText(flags.limit), before: getText(flags.before), types: getText(flags.types) }
    const list = (await connection.request('GET', ['users', id, 'events'], { query })) as {
      data: Event[]
      cursor: string | null
    }
    if (list.data.length === 0) await requireUser(connection, id)
    if (flags.json === true) printJson(terminal, list)
    else {
      const rows = list.data.map((event) => [event.sequence, event.at, event.type, event.detail, event.actor])
      printTable(terminal, ['#', 'at', 'type', 'detail', 'actor'], rows)
      if (list.cursor !== null) printMessage(terminal, `next page: --before ${list.cursor}`)
    }
    return EXIT.ok
  },
}
