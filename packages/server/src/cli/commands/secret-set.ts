import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { printJson, printMessage, readStdin } from '../terminal.ts'

export const secretSet: Command = {
  name: 'secret set',
  operands: 'ID NAME',
  operandCount: [2, 2],
  summary: 'Stores a secret of a user, encrypted. Reads from stdin the text of --field, or a JSON object of fields.',
  flags: {
    ...API_FLAGS,
    field: { type: 'string', help: 'the field to set from stdin (default apiKey)' },
    remove: { type: 'boolean', help: 'delete the secret instead' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    const [id = '', name = ''] = operands
    const body = flags.remove === true ? undefined : parseFields(await readStdin(terminal), getText(flags.field))
    await using connection = await connect(invocation)
    await connection.request(body === undefined ? 'DELETE' : 'PUT', ['users', id, 'secrets', name], { body })
    const fields = Object.keys(body ?? {})
    if (flags.json === true) printJson(terminal, { name, fields })
    else
      printMessage(
        terminal,
        body === undefined ? `Secret ${name} deleted.` : `Secret ${name} stored: ${fields.join(', ')}.`,
      )
    return EXIT.ok
  },
}

/** The fields come from stdin because arguments appear in the shell history and in the process list. */
function parseFields(input: string, field: string | undefined): Record<string, unknown> {
  const text = input.trim()
  if (text === '') throw new UsageError('Missing secret: stdin is empty.')
  if (field !== undefined || !text.startsWith('{')) return { [field ?? 'apiKey']: text }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new UsageError("Stdin starts with '{' but is not valid JSON.")
  }
}
