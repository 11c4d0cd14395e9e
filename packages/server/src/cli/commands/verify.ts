import type { Bond } from 'purser'
import { type Command, EXIT, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS } from '../command.ts'
import { type Connection, connectToLook } from '../connection.ts'
import { requireKnown } from '../require-user.ts'
import { print, printJson, safe } from '../terminal.ts'

interface Verdict {
  readonly ok: boolean
  readonly checked: number
  readonly firstBad?: unknown
}

export const verify: Command = {
  name: 'verify',
  operands: '[ID]',
  summary: 'Checks the chain of events of one user or of all; exits with 6 when something is wrong.',
  takes: [0, 1],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS, ...REMOTE_FLAGS },
  async run(call) {
    const { operands, flags, terminal } = call
    await using connection = await connectToLook(call)
    const [id] = operands
    const verdict: Verdict = id === undefined ? await verifyAll(connection) : await verifyOne(connection, id)
    if (id !== undefined && verdict.ok && verdict.checked === 0) await requireKnown(connection, id)
    if (flags.json === true) printJson(terminal, verdict)
    else {
      const bad = verdict.ok ? '' : ` First bad: ${safe(JSON.stringify(verdict.firstBad))}`
      print(terminal, `${verdict.ok ? 'ok' : 'NOT OK'}: ${verdict.checked} events checked.${bad}`)
    }
    return verdict.ok ? EXIT.ok : EXIT.found
  },
}

async function verifyOne(connection: Connection, id: string): Promise<Verdict> {
  return (await connection.call('GET', ['users', id, 'verify'])) as Verdict
}

async function verifyAll(connection: Connection): Promise<Verdict> {
  if (connection.purser !== undefined) return connection.purser.verify()
  let checked = 0
  let cursor: string | null = null
  do {
    const page = (await connection.call('GET', ['users'], {
      query: { limit: '200', cursor: cursor ?? undefined },
    })) as { data: Bond[]; cursor: string | null }
    for (const { user } of page.data) {
      const verdict = await verifyOne(connection, user)
      checked += verdict.checked
      if (!verdict.ok) return { ...verdict, checked }
    }
    cursor = page.cursor
  } while (cursor !== null)
  return { ok: true, checked }
}
