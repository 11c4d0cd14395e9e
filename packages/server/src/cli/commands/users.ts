import type { Bond } from 'purser'
import type { Command } from '../command.ts'
import { connectReadOnly } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { printJson, printMessage, printTable } from '../terminal.ts'

/** Query parameters of the API by the flags that set them. */
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
  operandCount: [0, 0],
  summary: 'Lists users.',
  flags: {
    ...API_FLAGS,
    phase: { type: 'string', help: 'only users in this phase' },
    'risk-level': { type: 'string', help: 'only users at this risk level' },
    blocked: { type: 'boolean', help: 'only blocked users' },
    q: { type: 'string', help: 'only ids that contain this' },
    'order-by': { type: 'string', help: 'id, lastSeenAt, createdAt, capUsed or peak' },
    order: { type: 'string', help: 'asc or desc' },
    limit: { type: 'string', help: 'users per page (default 50)' },
    cursor: { type: 'string', help: 'continue after the page that returned this cursor' },
  },
  async run(invocation) {
    const { flags, terminal } = invocation
    await using connection = await connectReadOnly(invocation)
    const filters = Object.fromEntries(Object.entries(FILTERS).map(([flag, name]) => [name, getText(flags[flag])]))
    const blocked = flags.blocked === true ? 'true' : undefined
    const list = (await connection.request('GET', ['users'], { query: { ...filters, blocked } })) as {
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
    if (list.cursor !== null) printMessage(terminal, `next page: --cursor ${list.cursor}`)
    return EXIT.ok
  },
}
