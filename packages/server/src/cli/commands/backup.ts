import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Purser, systemEffects } from 'purser'
import { loadConfig } from '../../config/load.ts'
import { type Call, type Command, EXIT, GENERAL_FLAGS, SETTING_FLAGS } from '../command.ts'
import { openHere, requireLocal } from '../connection.ts'
import { createProgress } from '../progress.ts'
import { storeFiles } from '../store-files.ts'
import { printJson, say } from '../terminal.ts'

const LOOK_MS = 200

export const backup: Command = {
  name: 'backup',
  operands: 'FILE',
  summary: 'A whole copy of the store in a new file, while the server runs; the key is not in it.',
  takes: [1, 1],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS },
  async run(call) {
    const { terminal, flags } = call
    requireLocal(call, 'A backup')
    const file = resolve(terminal.directory, call.operands[0] ?? '')
    const { config } = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
    const { database, key } = storeFiles(config, 'backup')
    await using connection = await openHere(call, { looks: true })
    await copy(call, connection.purser, { from: database, to: file })
    const bytes = statSync(file).size
    const keyFile = existsSync(key) && config.secretKey === undefined ? key : null
    if (flags.json === true) printJson(terminal, { file, bytes, keyFile })
    else {
      say(terminal, `${file}: ${bytes.toLocaleString('en')} bytes, readable by you alone.`)
      say(terminal, 'The secret key is NOT in it, and without the key nobody can open it.')
      say(
        terminal,
        keyFile === null
          ? '  Keep the configured secretKey somewhere else as well.'
          : `  Keep a copy of ${keyFile} as well, apart from the backup.`,
      )
    }
    return EXIT.ok
  },
}

/** The copy is written by a thread of its own; how far it is, its length tells. */
async function copy(
  { terminal }: Call,
  purser: Purser,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const progress = createProgress(terminal, 'Copying')
  const look = (): void => {
    progress.at((statSync(to, { throwIfNoEntry: false })?.size ?? 0) / Math.max(1, statSync(from).size))
    cancel = systemEffects.setTimer(look, LOOK_MS)
  }
  let cancel = systemEffects.setTimer(look, LOOK_MS)
  try {
    await purser.backup(to)
    progress.at(1)
  } finally {
    cancel()
    progress.end()
  }
}
