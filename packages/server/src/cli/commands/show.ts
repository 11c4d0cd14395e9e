import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, userNotFound } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { print, printJson } from '../terminal.ts'

export const show: Command = {
  name: 'show',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Shows one user: bond, quota and settings.',
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connectReadOnly(invocation)
    const user = (await connection.request('GET', ['users', id])) as Record<string, unknown>
    if (user.exists === false) throw userNotFound(id)
    if (flags.json === true) printJson(terminal, user)
    else for (const line of formatFields(user)) print(terminal, line)
    return EXIT.ok
  },
}

function formatFields(fields: Readonly<Record<string, unknown>>): string[] {
  const width = Math.max(...Object.keys(fields).map((name) => name.length))
  return Object.entries(fields).map(([name, value]) => {
    const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '–')
    return `${name.padEnd(width)}  ${escapeControls(text)}`
  })
}
