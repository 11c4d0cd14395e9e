import { type Command, EXIT, GENERAL_FLAGS, REASON, REMOTE_FLAGS, SETTING_FLAGS, text, UsageError } from '../command.ts'
import { connect, connectToLook } from '../connection.ts'
import { print, printJson } from '../terminal.ts'

interface Limits {
  readonly dailyCap: number
  readonly capOrigin: string
  readonly dailyCount: number
  readonly windowResetAt: string | null
}

export const cap: Command = {
  name: 'cap',
  operands: 'ID [N|unlimited|default]',
  summary: 'Shows or sets the daily cap.',
  takes: [1, 2],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS, ...REASON },
  async run(call) {
    const [id = '', wanted] = call.operands
    const body = wanted === undefined ? undefined : { cap: capOf(wanted), reason: text(call.flags.reason) }
    await using connection = await (body === undefined ? connectToLook(call) : connect(call))
    const bond = (
      body === undefined
        ? await connection.call('GET', ['users', id, 'bond'])
        : await connection.call('PUT', ['users', id, 'cap'], { body })
    ) as Limits
    if (call.flags.json === true) printJson(call.terminal, bond)
    else {
      const { dailyCap, capOrigin, dailyCount, windowResetAt } = bond
      const limit = dailyCap === 0 ? 'unlimited' : String(dailyCap)
      print(call.terminal, `cap ${limit} (${capOrigin}), today ${dailyCount}, resets ${windowResetAt ?? 'never'}`)
    }
    return EXIT.ok
  },
}

function capOf(word: string): number | null {
  if (word === 'default') return null
  if (word === 'unlimited') return 0
  if (/^\d+$/.test(word)) return Number(word)
  throw new UsageError(`A cap is a whole number, 'unlimited' or 'default', not '${word}'.`)
}
