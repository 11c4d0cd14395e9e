import { type Command, EXIT, GENERAL_FLAGS, NotFoundError, REMOTE_FLAGS, SETTING_FLAGS } from '../command.ts'
import { connectToLook } from '../connection.ts'
import { print, printJson, safe } from '../terminal.ts'

export const show: Command = {
  name: 'show',
  operands: 'ID',
  summary: 'One user: bond, quota, settings.',
  takes: [1, 1],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS },
  async run(call) {
    const id = call.operands[0] ?? ''
    await using connection = await connectToLook(call)
    const user = (await connection.call('GET', ['users', id])) as Record<string, unknown>
    if (user.exists === false) throw new NotFoundError(`There is no user '${safe(id)}'.`)
    if (call.flags.json === true) printJson(call.terminal, user)
    else for (const line of linesOf(user)) print(call.terminal, line)
    return EXIT.ok
  },
}

function linesOf(value: Readonly<Record<string, unknown>>): string[] {
  const width = Math.max(...Object.keys(value).map((name) => name.length))
  return Object.entries(value).map(([name, member]) => {
    const text = typeof member === 'object' && member !== null ? JSON.stringify(member) : String(member ?? '–')
    return `${name.padEnd(width)}  ${safe(text)}`
  })
}
