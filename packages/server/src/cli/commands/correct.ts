import type { Bond } from 'purser'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText, REASON_FLAG } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const correct: Command = {
  name: 'correct',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Overrides a detected phase or risk level; requires --reason.',
  flags: {
    ...API_FLAGS,
    ...REASON_FLAG,
    phase: { type: 'string', help: 'the phase of the user' },
    'risk-level': { type: 'string', help: 'the risk level of the user' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    const reason = getText(flags.reason)
    if (reason === undefined) throw new UsageError('Missing --reason: it is recorded in the event log.')
    const [phase, riskLevel] = [getText(flags.phase), getText(flags['risk-level'])]
    if (phase === undefined && riskLevel === undefined) throw new UsageError('Missing --phase or --risk-level.')
    await using connection = await connect(invocation)
    const body = { phase, riskLevel, reason }
    const bond = (await connection.request('POST', ['users', id, 'correct'], { body })) as Bond
    if (flags.json === true) printJson(terminal, bond)
    else printMessage(terminal, escapeControls(`${id}: phase ${bond.phase}, risk ${bond.riskLevel}.`))
    return EXIT.ok
  },
}
