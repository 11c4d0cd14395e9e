import type { Bond } from 'purser'
import type { Command } from '../command.ts'
import { connect, connectReadOnly } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { print, printJson } from '../terminal.ts'

export const cap: Command = {
  name: 'cap',
  operands: 'ID [N|unlimited|default]',
  operandCount: [1, 2],
  summary: 'Shows or sets the daily cap.',
  flags: { ...API_FLAGS, ...REASON_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', value] = operands
    const body = value === undefined ? undefined : { cap: parseCap(value), reason: getText(flags.reason) }
    await using connection = await (body === undefined ? connectReadOnly(invocation) : connect(invocation))
    const bond = (
      body === undefined
        ? await connection.request('GET', ['users', id, 'bond'])
        : await connection.request('PUT', ['users', id, 'cap'], { body })
    ) as Bond
    if (flags.json === true) printJson(terminal, bond)
    else {
      const { dailyCap, capOrigin, dailyCount, windowResetAt } = bond
      const shownCap = dailyCap === 0 ? 'unlimited' : String(dailyCap)
      print(terminal, `cap ${shownCap} (${capOrigin}), today ${dailyCount}, resets ${windowResetAt ?? 'never'}`)
    }
    return EXIT.ok
  },
}

function parseCap(value: string): number | null {
  if (value === 'default') return null
  if (value === 'unlimited') return 0
  if (/^\d+$/.test(value)) return Number(value)
  throw new UsageError(`The cap must be an integer, 'unlimited' or 'default', not '${value}'.`)
}
