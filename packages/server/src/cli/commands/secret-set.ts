import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text, UsageError } from '../command.ts'
import { connect } from '../connection.ts'
import { printJson, readInput, say } from '../terminal.ts'

export const secretSet: Command = {
  name: 'secret set',
  operands: 'ID NAME',
  summary: 'Keeps a secret of a user, sealed. Its value comes on stdin: the text of --field, or an object of fields.',
  takes: [2, 2],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    field: { type: 'string', help: 'the field that stdin is (default apiKey)' },
    remove: { type: 'boolean', help: 'remove it instead' },
  },
  async run(call) {
    const [id = '', name = ''] = call.operands
    const segments = ['users', id, 'secrets', name]
    const body =
      call.flags.remove === true ? undefined : fieldsOf(await readInput(call.terminal), text(call.flags.field))
    await using connection = await connect(call)
    await connection.call(body === undefined ? 'DELETE' : 'PUT', segments, { body })
    const fields = Object.keys(body ?? {})
    if (call.flags.json === true) printJson(call.terminal, { name, fields })
    else say(call.terminal, body === undefined ? `${name} is removed.` : `${name} is kept: ${fields.join(', ')}.`)
    return EXIT.ok
  },
}

/** Stdin rather than an argument: arguments stand in the shell's history and in the list of processes. */
function fieldsOf(input: string, field: string | undefined): Record<string, unknown> {
  const trimmed = input.trim()
  if (trimmed === '') throw new UsageError('The secret comes on stdin, and there was nothing on it.')
  if (field !== undefined || !trimmed.startsWith('{')) return { [field ?? 'apiKey']: trimmed }
  try {
    return JSON.parse(trimmed) as Record<string, unknown>
  } catch {
    throw new UsageError('What came on stdin begins like JSON and is none.')
  }
}
