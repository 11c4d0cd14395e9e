import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import type { Command } from '../command.ts'
import { requireLocal } from '../connection.ts'
import { ConflictError, NotFoundError, UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { LOCAL_FLAGS } from '../flags.ts'
import { createProgress } from '../progress.ts'
import { restoreStore } from '../restore-store.ts'
import { getStoreFiles } from '../store-files.ts'
import { printJson, printMessage } from '../terminal.ts'

export const restore: Command = {
  name: 'restore',
  operands: 'FILE',
  operandCount: [1, 1],
  summary: 'Restores the store from a backup; stop the server first. --force replaces an existing store.',
  flags: {
    ...LOCAL_FLAGS,
    force: { type: 'boolean', help: 'replace an existing store; it is kept beside the new one under another name' },
  },
  async run(invocation) {
    const { terminal, flags, operands } = invocation
    requireLocal(invocation, 'purser restore')
    const backup = resolve(terminal.directory, operands[0] ?? '')
    const { config } = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
    const files = getStoreFiles(config)
    if (!existsSync(backup)) throw new NotFoundError(`File ${backup} not found.`)
    if (existsSync(`${backup}-wal`)) {
      throw new UsageError(`${backup} is a database that is open or was not closed, not a backup. Use purser backup.`)
    }
    if (flags.force !== true && existsSync(files.database)) {
      throw new ConflictError(
        `The store ${files.database} exists. With --force it is replaced and kept under another name.`,
      )
    }
    const { namespace, secretKey } = config
    const progress = createProgress(terminal, 'Restoring')
    const { aside } = await restoreStore({
      backup,
      files,
      namespace,
      secretKey,
      onProgress: progress.update,
      signal: terminal.signal,
    }).finally(progress.end)
    if (flags.json === true) printJson(terminal, { store: files.database, from: backup, aside })
    else {
      printMessage(terminal, `Restored ${files.database} from ${backup}. Cached answers were dropped.`)
      if (aside !== null) printMessage(terminal, `The old store is kept as ${aside}.`)
      printMessage(terminal, 'Users who were erased after the backup exist again: erase them again.')
      printMessage(terminal, 'Run purser verify to verify the event logs.')
    }
    return EXIT.ok
  },
}
