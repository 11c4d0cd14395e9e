import type { NewApiKey } from '../../auth/api-keys.ts'
import { ROLES } from '../../auth/scopes.ts'
import type { Command } from '../command.ts'
import { connect } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { print, printJson, printMessage } from '../terminal.ts'

export const keysCreate: Command = {
  name: 'keys create',
  operands: '',
  operandCount: [0, 0],
  summary: 'Creates an API key and prints it once.',
  flags: {
    ...API_FLAGS,
    role: { type: 'string', help: ROLES.join(', ') },
    name: { type: 'string', help: 'name of the key, recorded as the actor in the event log' },
    user: { type: 'string', help: 'the user of the key; required with --role user' },
  },
  async run(invocation) {
    const { flags, terminal } = invocation
    const role = getText(flags.role)
    if (role === undefined) throw new UsageError(`Missing --role. Valid roles: ${ROLES.join(', ')}.`)
    await using connection = await connect(invocation)
    const body = { role, name: getText(flags.name), user: getText(flags.user) }
    const key = (await connection.request('POST', ['keys'], { body })) as NewApiKey
    if (flags.json === true) {
      printJson(terminal, key)
      return EXIT.ok
    }
    printMessage(terminal, `${key.role} key '${key.name}' (${key.id}), shown only once:`)
    print(terminal, key.key)
    return EXIT.ok
  },
}
