import type { UsageSum } from 'purser'
import { formatUsageCsv } from '../../http/usage-csv.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { print, printJson, printTable } from '../terminal.ts'

const FORMATS = ['table', 'csv', 'jsonl'] as const

export const usage: Command = {
  name: 'usage',
  operands: '[ID]',
  operandCount: [0, 1],
  summary: 'Prints what a user has used, or all users: turns, tokens and cost.',
  flags: {
    ...API_FLAGS,
    by: { type: 'string', help: 'hour, day (default), month, model, limit; without ID also user, plan, provider' },
    from: { type: 'string', help: 'first day, such as 2026-11-01 (default: 30 days ago)' },
    to: { type: 'string', help: 'first day that is excluded' },
    limit: { type: 'string', help: 'rows at most, without ID (default 1000)' },
    format: { type: 'string', help: 'table (default), csv or jsonl' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id] = operands
    const format = getText(flags.format) ?? 'table'
    if (!FORMATS.includes(format as 'csv')) throw new UsageError(`--format must be ${FORMATS.join(', ')}.`)
    await using connection = await connectReadOnly(invocation)
    const limit = id === undefined ? getText(flags.limit) : undefined
    const query = { by: getText(flags.by), from: getText(flags.from), to: getText(flags.to), limit }
    const path = id === undefined ? ['usage'] : ['users', id, 'usage']
    const list = (await connection.request('GET', path, { query })) as { data: UsageSum[] }
    const { data } = list
    if (data.length === 0 && id !== undefined) await requireUser(connection, id)
    if (flags.json === true) printJson(terminal, list)
    else if (format === 'csv') for (const line of formatUsageCsv(data).trimEnd().split('\r\n')) print(terminal, line)
    else if (format === 'jsonl') for (const sum of data) printJson(terminal, sum)
    else printUsage(terminal, getText(flags.by) ?? 'day', data)
    return EXIT.ok
  },
}

export function printUsage(terminal: Parameters<typeof printTable>[0], by: string, sums: readonly UsageSum[]): void {
  const rows = sums.map(({ key, turns, refused, inputTokens, outputTokens, cost, unpriced }) => [
    key,
    turns,
    refused,
    inputTokens,
    outputTokens,
    unpriced === 0 ? cost : `${cost} (${unpriced} without a price)`,
  ])
  printTable(terminal, [by, 'turns', 'refused', 'input tokens', 'output tokens', 'cost'], rows)
}
