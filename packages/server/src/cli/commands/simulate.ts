import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Simulation } from 'purser'
import type { Command } from '../command.ts'
import { connectReadOnly } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { showElapsed } from '../progress.ts'
import { formatCount, printJson, printMessage, printTable } from '../terminal.ts'

export const simulate: Command = {
  name: 'simulate',
  operands: 'FILE',
  operandCount: [1, 1],
  summary: 'Replays the recorded turns under the limits and plans of a JSON file, and lists who would be refused.',
  flags: {
    ...API_FLAGS,
    since: { type: 'string', help: 'only turns from this instant on (ISO 8601)' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const proposal = readProposal(resolve(terminal.directory, operands[0] ?? ''))
    const since = getText(flags.since) ?? proposal.since
    await using connection = await connectReadOnly(invocation)
    const body = { ...proposal, ...(since === undefined ? {} : { since }) }
    const options = { body, signal: terminal.signal }
    const request = connection.request('POST', ['limits', 'simulate'], options)
    const result = (await showElapsed(terminal, 'Replaying', request)) as Simulation
    if (flags.json === true) {
      printJson(terminal, result)
      return EXIT.ok
    }
    const rows = result.users.map(({ user, refused, firstAt, limit }) => [user, refused, firstAt, limit])
    printTable(terminal, ['user', 'refused', 'first', 'limit'], rows)
    const { turns, refused, users } = result
    printMessage(
      terminal,
      `${refused} of ${formatCount(turns, 'turn')} would be refused, of ${formatCount(users.length, 'user')}`,
    )
    if (!result.complete)
      printMessage(terminal, 'Incomplete: the records do not reach back to the start of every window.')
    return EXIT.ok
  },
}

/** `{ limits?, plans?, since?, users? }`, or a configuration file with `ledger.limits` and `plans`. */
function readProposal(file: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${file} must have a JSON object: { "limits": [...], "plans": {...} }.`)
  const { limits, plans, since, users, ledger } = value as Readonly<Record<string, unknown>>
  const configured = (ledger as { readonly limits?: unknown } | undefined)?.limits
  return { limits: limits ?? configured, plans, since, users }
}
