import type { Bond } from 'purser'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { printJson, printTable, say } from '../terminal.ts'

/** The API's filters by the flags they are set with. */
const FILTERS = {
  phase: 'phase',
  'risk-level': 'riskLevel',
  q: 'q',
  'order-by': 'orderBy',
  order: 'order',
  limit: 'limit',
  cursor: 'cursor',
} as const

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
    'risk-level': { type: 'string', help: 'only at this risk level' },
    blocked: { type: 'boolean', help: 'only blocked ones' },
    q: { type: 'string', help: 'only ids that begin so' },
    'order-by': { type: 'string', help: 'id, lastSeenAt, createdAt, capUsed or peak' },
    order: { type: 'string', help: 'asc or desc' },
    limit: { type: 'string', help: 'how many (default 50)' },
    cursor: { type: 'string', help: 'go on behind an earlier list' },
  },
  async run(call) {
    const { flags, terminal } = call
    await using connection = await connectToLook(call)
    const query = Object.fromEntries(Object.entries(FILTERS).map(([flag, name]) => [name, text(flags[flag])]))
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
