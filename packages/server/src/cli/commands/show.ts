import type { LimitState, TurnRecord, UsageSum } from 'purser'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, userNotFound } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { print, printJson } from '../terminal.ts'
import { formatLimit } from './limits.ts'
import { printTurns } from './turns.ts'
import { printUsage } from './usage.ts'

const SHOWN_TURNS = '5'

export const show: Command = {
  name: 'show',
  operands: 'ID',
  operandCount: [1, 1],
  summary: 'Shows one user: bond, quota, settings, limits, usage and the last turns.',
  flags: API_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const id = operands[0] ?? ''
    await using connection = await connectReadOnly(invocation)
    const user = (await connection.request('GET', ['users', id])) as Record<string, unknown>
    if (user.exists === false) throw userNotFound(id)
    const read = async (part: string, query: Readonly<Record<string, string>> = {}): Promise<unknown[]> =>
      ((await connection.request('GET', ['users', id, part], { query })) as { data: unknown[] }).data
    const [states, months, records] = await Promise.all([
      read('limits') as Promise<LimitState[]>,
      read('usage', { by: 'month' }) as Promise<UsageSum[]>,
      read('turns', { limit: SHOWN_TURNS }) as Promise<TurnRecord[]>,
    ])
    if (flags.json === true) {
      printJson(terminal, { ...user, limits: states, usage: months, turns: records })
      return EXIT.ok
    }
    for (const line of formatFields(user)) print(terminal, line)
    print(terminal, '')
    for (const state of states) print(terminal, formatLimit(state))
    print(terminal, '')
    printUsage(terminal, 'month', months)
    print(terminal, '')
    printTurns(terminal, records)
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
