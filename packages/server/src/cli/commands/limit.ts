import type { LimitState } from 'purser'
import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'
import { formatLimit } from './limits.ts'

export const limit: Command = {
  name: 'limit',
  operands: 'ID NAME MAX|unlimited|default|reset',
  operandCount: [3, 3],
  summary: 'Sets a limit of a user, or its use to 0 with `reset`, which requires --reason.',
  flags: { ...API_FLAGS, ...REASON_FLAG, until: { type: 'string', help: 'end of the limit, ISO 8601' } },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', name = '', value = ''] = operands
    const reason = getText(flags.reason)
    if (value === 'reset' && reason === undefined)
      throw new UsageError('Missing --reason: it is recorded in the event log.')
    const path = ['users', id, 'limits', name]
    const until = getText(flags.until)
    if (until !== undefined && (value === 'reset' || value === 'default'))
      throw new UsageError(`--until has no meaning with '${value}'.`)
    await using connection = await connect(invocation)
    const state = (await (value === 'reset'
      ? connection.request('DELETE', [...path, 'usage'], { body: { reason } })
      : value === 'default'
        ? connection.request('DELETE', path, { body: { reason } })
        : connection.request('PUT', path, { body: { max: parseMax(value), until, reason } }))) as LimitState
    if (flags.json === true) printJson(terminal, state)
    else printMessage(terminal, formatLimit(state))
    return EXIT.ok
  },
}

/** Whole numbers as numbers, amounts of money as decimal text. */
function parseMax(value: string): number | string | null {
  if (value === 'unlimited') return null
  if (/^\d{1,15}$/.test(value)) return Number(value)
  if (/^\d+\.\d+$/.test(value)) return value
  throw new UsageError(`The maximum must be a number, 'unlimited', 'default' or 'reset', not '${value}'.`)
}
