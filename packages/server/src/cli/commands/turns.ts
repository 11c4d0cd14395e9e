import type { TurnRecord } from 'purser'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { printJson, printMessage, printTable } from '../terminal.ts'

export const turns: Command = {
  name: 'turns',
  operands: 'ID',
  operandCount: [1, 1],
  summary: "Prints a user's turns, newest first, with why they were refused or failed.",
  flags: {
    ...API_FLAGS,
    limit: { type: 'string', help: 'number of turns (default 50)' },
    before: { type: 'string', help: 'only turns before the one with this id' },
    outcome: { type: 'string', help: 'completed, failed, cancelled or refused' },
  },
  async run(invocation) {
    const { flags, terminal, operands } = invocation
    await using connection = await connectReadOnly(invocation)
    const id = operands[0] ?? ''
    const query = { limit: getText(flags.limit), before: getText(flags.before), outcome: getText(flags.outcome) }
    const list = (await connection.request('GET', ['users', id, 'turns'], { query })) as {
      data: TurnRecord[]
      cursor: string | null
    }
    if (list.data.length === 0) await requireUser(connection, id)
    if (flags.json === true) printJson(terminal, list)
    else {
      printTurns(terminal, list.data)
      if (list.cursor !== null) printMessage(terminal, `next page: --before ${list.cursor}`)
    }
    return EXIT.ok
  },
}

export function printTurns(terminal: Parameters<typeof printTable>[0], records: readonly TurnRecord[]): void {
  const rows = records.map((turn) => [
    turn.at,
    turn.provider === null ? null : `${turn.provider}/${turn.model}`,
    turn.outcome,
    turn.limit ?? turn.code ?? turn.cache,
    turn.inputTokens,
    turn.outputTokens,
    turn.cost,
    Math.round(turn.totalMs),
  ])
  printTable(terminal, ['at', 'model', 'outcome', 'why', 'input', 'output', 'cost', 'ms'], rows)
}
