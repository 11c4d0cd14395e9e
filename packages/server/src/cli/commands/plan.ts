import type { Bond } from 'purser'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const plan: Command = {
  name: 'plan',
  operands: 'ID NAME|default',
  operandCount: [2, 2],
  summary: 'Assigns a plan to a user.',
  flags: { ...API_FLAGS, ...REASON_FLAG },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', name = ''] = operands
    await using connection = await connect(invocation)
    const body = { plan: name === 'default' ? null : name, reason: getText(flags.reason) }
    const bond = (await connection.request('PUT', ['users', id, 'plan'], { body })) as Bond
    if (flags.json === true) printJson(terminal, bond)
    else printMessage(terminal, `Plan ${escapeControls(bond.plan ?? 'none')} (${bond.planOrigin}).`)
    return EXIT.ok
  },
}
