import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, CONFIRM_FLAG, getText, REASON_FLAG } from '../flags.ts'
import { showElapsed } from '../progress.ts'
import { printJson, prompt } from '../terminal.ts'

export const erase: Command = {
  name: 'erase',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Erases a user permanently; requires --reason and a confirmation.',
  flags: { ...API_FLAGS, ...REASON_FLAG, ...CONFIRM_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    const reason = getText(flags.reason)
    if (reason === undefined) throw new UsageError('Missing --reason: an erasure requires a reason.')
    const confirmed =
      getText(flags.confirm) ?? (await prompt(terminal, 'This cannot be undone. Type the id to confirm: '))
    if (confirmed !== id) throw new UsageError('Not confirmed. Type the id, or pass it with --confirm.')
    await using connection = await connect(invocation)
    const request = connection.request('POST', ['users', id, 'erase'], { body: { reason } })
    printJson(terminal, await showElapsed(terminal, 'Erasing', request))
    return EXIT.ok
  },
}
