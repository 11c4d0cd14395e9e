import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import {
  type Command,
  ConflictError,
  EXIT,
  GENERAL_FLAGS,
  NotFoundError,
  SETTING_FLAGS,
  UsageError,
} from '../command.ts'
import { requireLocal } from '../connection.ts'
import { createProgress } from '../progress.ts'
import { restoreStore } from '../restore-store.ts'
import { storeFiles } from '../store-files.ts'
import { printJson, say } from '../terminal.ts'

export const restore: Command = {
  name: 'restore',
  operands: 'FILE',
  summary: 'Puts a backup in the place of the store, which nobody may be using; --force keeps the old one aside.',
  takes: [1, 1],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    force: { type: 'boolean', help: 'also when there is a store; it is kept under another name beside it' },
  },
  async run(call) {
    const { terminal, flags } = call
    requireLocal(call, 'A restore')
    const from = resolve(terminal.directory, call.operands[0] ?? '')
    const { config } = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
    const files = storeFiles(config, 'restore')
    if (!existsSync(from)) throw new NotFoundError(`There is no file ${from}.`)
    if (existsSync(`${from}-wal`)) {
      throw new UsageError(`${from} is a database in use or after a crash, not a backup. Make one with: purser backup`)
    }
    if (flags.force !== true && existsSync(files.database)) {
      throw new ConflictError(`There is a store at ${files.database} already. With --force it is kept aside.`)
    }
    const progress = createProgress(terminal, 'Restoring')
    try {
      const { namespace, secretKey } = config
      const { aside } = await restoreStore({
        from,
        files,
        namespace,
        secretKey,
        onProgress: progress.at,
        signal: terminal.interrupted,
      })
      progress.end()
      if (flags.json === true) printJson(terminal, { store: files.database, from, aside })
      else {
        say(terminal, `${files.database} is what ${from} was. Kept answers are gone: they are made anew.`)
        if (aside !== null) say(terminal, `The store that was there is kept as ${aside}.`)
        say(terminal, 'Who was erased after the backup was made is there again: erase them again.')
        say(terminal, 'purser verify checks the log of everybody.')
      }
    } catch (error) {
      progress.end()
      throw error
    }
    return EXIT.ok
  },
}
