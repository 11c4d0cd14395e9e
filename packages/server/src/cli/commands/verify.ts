import { readFileSync } from 'node:fs'
import type { Verification } from 'purser'
import { escapeControls } from '../../app/escape-controls.ts'
import type { Command } from '../command.ts'
import { connectReadOnly, requireUser } from '../connection.ts'
import { NotFoundError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS, getText } from '../flags.ts'
import { showElapsed } from '../progress.ts'
import { formatCount, print, printJson } from '../terminal.ts'

export const verify: Command = {
  name: 'verify',
  operands: '[ID]',
  operandCount: [0, 1],
  summary: 'Verifies the event log of one user or of all users. Exit code 6 if an event is bad.',
  flags: {
    ...API_FLAGS,
    checkpoint: {
      type: 'string',
      help: 'file with the output of purser checkpoint: also finds a store that was rolled back',
    },
  },
  async run(invocation) {
    const { operands, flags, terminal } = invocation
    const checkpoint = readCheckpoint(getText(flags.checkpoint))
    await using connection = await connectReadOnly(invocation)
    const [user] = operands
    const options = { body: { user, checkpoint }, signal: terminal.signal }
    const request = connection.request('POST', ['verify'], options)
    const result = (await showElapsed(terminal, 'Verifying', request)) as Verification
    if (user !== undefined && result.ok && result.checked === 0) await requireUser(connection, user)
    if (flags.json === true) printJson(terminal, result)
    else {
      const firstBad = result.ok ? '' : ` First bad event: ${escapeControls(JSON.stringify(result.firstBad))}`
      print(terminal, `${result.ok ? 'ok' : 'NOT OK'}: ${formatCount(result.checked, 'event')} verified.${firstBad}`)
    }
    return result.ok ? EXIT.ok : EXIT.found
  },
}

function readCheckpoint(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new NotFoundError(`Checkpoint ${path} not found.`)
  }
}
