import type { LimitState, Plan } from 'purser'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { print, printJson } from '../terminal.ts'

export const limits: Command = {
  name: 'limits',
  operands: '[ID]',
  operandCount: [0, 1],
  summary: 'Lists the limits of a user with what is used; without ID the configured plans.',
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id] = operands
    await using connection = await connectReadOnly(invocation)
    if (id !== undefined) await requireUser(connection, id)
    const path = id === undefined ? ['plans'] : ['users', id, 'limits']
    const list = (await connection.request('GET', path)) as { data: LimitState[] | Plan[] }
    if (flags.json === true) printJson(terminal, list)
    else for (const entry of list.data) print(terminal, 'used' in entry ? formatLimit(entry) : formatPlan(entry))
    return EXIT.ok
  },
}

/** `tokens: 120 of 1000 tokens (day) used, resets 2026-03-11T00:00:00.000Z [plan:pro]` */
export function formatLimit(state: LimitState): string {
  const { name, measure, window, max, used, resetAt, origin, mode, until, pending } = state
  const per = window === null ? '' : ` (${window})`
  const notes = [
    origin,
    ...(mode === 'observe' ? ['observed'] : []),
    ...(until === null ? [] : [`until ${until}`]),
    ...(pending === null ? [] : [`${pending.max ?? 'unlimited'} from ${pending.at}`]),
  ]
  const reset = resetAt === null ? '' : `, resets ${resetAt}`
  return escapeControls(`${name}: ${used} of ${max ?? 'unlimited'} ${measure}${per} used${reset} [${notes.join(', ')}]`)
}

function formatPlan({ name, extends: parent, limits: list, isDefault }: Plan): string {
  const names = list.map((limit) => `${limit.name} ${limit.max ?? 'unlimited'}`).join(', ')
  const base = parent === null ? '' : ` extends ${parent}`
  return escapeControls(
    `${name}${base}${isDefault ? ' (default)' : ''}: ${names || (parent === null ? 'no limits' : 'no limits of its own')}`,
  )
}
