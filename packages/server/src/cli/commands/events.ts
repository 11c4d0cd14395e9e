import type { Event } from 'purser'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { requireKnown } from '../require-user.ts'
import { printJson, printTable, say } from '../terminal.ts'

export const events: Command = {
  name: 'events',
  operands: 'ID',
  summary: "A user's event log, newest first.",
  takes: [1, 1],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    limit: { type: 'string', help: 'how many (default 50)' },
    before: { type: 'string', help: 'below this sequence' },
    types: { type: 'string', help: 'only these types, separated by commas' },
  },
  async run(call) {
    const { flags, terminal, operands } = call
    await using connection = await connectToLook(call)
    const id = operands[0] ?? ''
    const query = { limit: text(flags.limit), before: text(flags.before), types: text(flags.types) }
    const list = (await connection.call('GET', ['users', id, 'events'], { query })) as {
      data: Event[]
      cursor: string | null
    }
    if (list.data.length === 0) await requireKnown(connection, id)
    if (flags.json === true) printJson(terminal, list)
    else {
      const rows = list.data.map((event) => [event.sequence, event.at, event.type, event.detail, event.actor])
      printTable(terminal, ['#', 'at', 'type', 'detail', 'actor'], rows)
      if (list.cursor !== null) say(terminal, `more: --before ${list.cursor}`)
    }
    return EXIT.ok
  },
}
