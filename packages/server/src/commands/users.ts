import type { Bond } from 'purser'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text } from './command.ts'
import { connect } from './connection.ts'
import { printJson, printTable, say } from './terminal.ts'

const FILTERS = ['phase', 'riskLevel', 'q', 'orderBy', 'order', 'limit', 'cursor'] as const

export const users: Command = {
  name: 'users',
  operands: '',
  summary: 'Lists users.',
  takes: [0, 0],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    phase: { type: 'string', help: 'only in this phase' },
    riskLevel: { type: 'string', help: 'only at this risk level' },
    blocked: { type: 'boolean', help: 'only blocked ones' },
    q: { type: 'string', help: 'only ids that begin so' },
    orderBy: { type: 'string', help: 'as in the API' },
    order: { type: 'string', help: 'ascending or descending' },
    limit: { type: 'string', help: 'how many (default 50)' },
    cursor: { type: 'string', help: 'go on behind an earlier list' },
  },
  async run(call) {
    const { flags, terminal } = call
    await using connection = await connect(call)
    const query = Object.fromEntries(FILTERS.map((name) => [name, text(flags[name])]))
    const blocked = flags.blocked === true ? 'true' : undefined
    const list = (await connection.call('GET', ['users'], { query: { ...query, blocked } })) as {
      data: Bond[]
      cursor: string | null
    }
    if (flags.json === true) {
      printJson(terminal, list)
      return EXIT.ok
    }
    const rows = list.data.map((bond) => [
      bond.user,
      bond.phase,
      bond.riskLevel,
      bond.dailyCap === 0 ? `${bond.dailyCount}` : `${bond.dailyCount}/${bond.dailyCap}`,
      bond.blocked === null ? '' : 'blocked',
      bond.lastSeenAt,
    ])
    printTable(terminal, ['user', 'phase', 'risk', 'today', '', 'last seen'], rows)
    if (list.cursor !== null) say(terminal, `more: --cursor ${list.cursor}`)
    return EXIT.ok
  },
}
