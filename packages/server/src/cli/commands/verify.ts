import type { Bond, Verification } from 'purser'
import type { Command } from '../command.ts'
import { type Connection, connectReadOnly, requireUser } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { escapeControls, formatCount, print, printJson } from '../terminal.ts'

type VerifyResult = Pick<Verification, 'ok' | 'checked'> & { readonly firstBad?: unknown }

export const verify: Command = {
  name: 'verify',
  operands: '[ID]',
  operandCount: [0, 1],
  summary: 'Verifies the event log of one user or of all users. Exit code 6 if an event is bad.',
  flags: API_FLAGS,
  async run(invocation) {
    const { operands, flags, terminal } = invocation
    await using connection = await connectReadOnly(invocation)
    const [id] = operands
    const result = id === undefined ? await verifyAll(connection) : await verifyUser(connection, id)
    if (id !== undefined && result.ok && result.checked === 0) await requireUser(connection, id)
    if (flags.json === true) printJson(terminal, result)
    else {
      const firstBad = result.ok ? '' : ` First bad event: ${escapeControls(JSON.stringify(result.firstBad))}`
      print(terminal, `${result.ok ? 'ok' : 'NOT OK'}: ${formatCount(result.checked, 'event')} verified.${firstBad}`)
    }
    return result.ok ? EXIT.ok : EXIT.found
  },
}

async function verifyUser(connection: Connection, id: string): Promise<VerifyResult> {
  return (await connection.request('GET', ['users', id, 'verify'])) as VerifyResult
}

/** The API verifies one user at a time, so over HTTP this pages through all users. */
async function verifyAll(connection: Connection): Promise<VerifyResult> {
  if (connection.purser !== undefined) return connection.purser.verify()
  let checked = 0
  let cursor: string | null = null
  do {
    const query = { limit: '200', cursor: cursor ?? undefined }
    const page = (await connection.request('GET', ['users'], { query })) as { data: Bond[]; cursor: string | null }
    for (const { user } of page.data) {
      const result = await verifyUser(connection, user)
      checked += result.checked
      if (!result.ok) return { ...result, checked }
    }
    cursor = page.cursor
  } while (cursor !== null)
  return { ok: true, checked }
}
