import type { NewKey } from '../../auth/api-keys.ts'
import { ROLES } from '../../auth/roles.ts'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS, text, UsageError } from '../command.ts'
import { connect } from '../connection.ts'
import { print, printJson, say } from '../terminal.ts'

export const keysCreate: Command = {
  name: 'keys create',
  operands: '',
  summary: 'Makes a key and shows it once.',
  takes: [0, 0],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    ...REMOTE_FLAGS,
    role: { type: 'string', help: ROLES.join(', ') },
    name: { type: 'string', help: 'stands in the log as the actor' },
    user: { type: 'string', help: 'with --role user: who it is' },
  },
  async run(call) {
    const { flags, terminal } = call
    const role = text(flags.role)
    if (role === undefined) throw new UsageError(`--role is missing: ${ROLES.join(', ')}.`)
    await using connection = await connect(call)
    const body = { role, name: text(flags.name), user: text(flags.user) }
    const key = (await connection.call('POST', ['keys'], { body })) as NewKey
    if (flags.json === true) {
      printJson(terminal, key)
      return EXIT.ok
    }
    say(terminal, `${key.role} key '${key.name}' (${key.id}); it is shown this once:`)
    print(terminal, key.key)
    return EXIT.ok
  },
}
