import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Purser, systemEffects } from 'purser'
import { loadConfig } from '../../config/load.ts'
import type { Command } from '../command.ts'
import { openStore, requireLocal } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { LOCAL_FLAGS } from '../flags.ts'
import { createProgress } from '../progress.ts'
import { getStoreFiles } from '../store-files.ts'
import { printJson, printMessage, type Terminal } from '../terminal.ts'

const PROGRESS_INTERVAL_MS = 200

export const backup: Command = {
  name: 'backup',
  operands: 'FILE',
  operandCount: [1, 1],
  summary: 'Copies the whole store to a new file while the server runs; without the secret key.',
  flags: LOCAL_FLAGS,
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    requireLocal(invocation, 'purser backup')
    const file = resolve(terminal.directory, operands[0] ?? '')
    const { config } = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
    const { database, key } = getStoreFiles(config)
    await using connection = await openStore(invocation, { create: false })
    await copyStore(terminal, connection.purser, { from: database, to: file })
    const bytes = statSync(file).size
    const keyFile = existsSync(key) && config.secretKey === undefined ? key : null
    if (flags.json === true) printJson(terminal, { file, bytes, keyFile })
    else {
      printMessage(terminal, `${file}: ${bytes.toLocaleString('en')} bytes, mode 0600.`)
      printMessage(terminal, 'The secret key is NOT in the backup. A backup cannot be opened without the key.')
      printMessage(
        terminal,
        keyFile === null
          ? '  Also store the configured secretKey in another location.'
          : `  Also store a copy of ${keyFile}, separate from the backup.`,
      )
    }
    return EXIT.ok
  },
}

/** Another thread writes the copy, so the progress is read from the size of its file. */
async function copyStore(
  terminal: Terminal,
  purser: Purser,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const progress = createProgress(terminal, 'Copying')
  const update = (): void => {
    progress.update((statSync(to, { throwIfNoEntry: false })?.size ?? 0) / Math.max(1, statSync(from).size))
    cancelTimer = systemEffects.setTimer(update, PROGRESS_INTERVAL_MS)
  }
  let cancelTimer = systemEffects.setTimer(update, PROGRESS_INTERVAL_MS)
  try {
    await purser.backup(to)
    progress.update(1)
  } finally {
    cancelTimer()
    progress.end()
  }
}
