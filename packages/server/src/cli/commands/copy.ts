import { copyStore } from 'purser'
import { loadConfig } from '../../config/load.ts'
import type { Command } from '../command.ts'
import { requireLocal } from '../connection.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { getText, LOCAL_FLAGS } from '../flags.ts'
import { createCounter } from '../progress.ts'
import { getStoreFiles, requireStore } from '../store-files.ts'
import { formatCount, printJson, printMessage } from '../terminal.ts'

export const copy: Command = {
  name: 'copy',
  operands: '',
  operandCount: [0, 0],
  summary: 'Copies the whole store as it is into another, empty store; run it again to continue.',
  flags: {
    ...LOCAL_FLAGS,
    to: { type: 'string', help: "the empty store: 'sqlite:PATH', 'postgres://…' or 'redis://…'" },
  },
  async run(invocation) {
    const { terminal, flags } = invocation
    requireLocal(invocation, 'purser copy')
    const to = getText(flags.to)
    if (to === undefined) throw new UsageError('purser copy needs a target: --to STORE.')
    const { config } = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
    requireStore(config)
    const progress = createCounter(terminal, 'rows')
    const report = await copyStore({
      from: config.store,
      to,
      ...(config.secretKey === undefined ? {} : { secretKey: config.secretKey }),
      onProgress: ({ step, rows }) =>
        progress.update({ label: step === 'copy' ? 'Copying' : 'Comparing', count: rows }),
      signal: terminal.signal,
    }).finally(progress.end)
    if (flags.json === true) printJson(terminal, report)
    else {
      const { user = 0, event = 0 } = report.rows
      printMessage(
        terminal,
        `Copied ${formatCount(user, 'user')} and ${formatCount(event, 'event')}; both stores are equal.`,
      )
      if (config.secretKey === undefined)
        printMessage(
          terminal,
          `The secret key is in ${getStoreFiles(config).key}: configure it as secretKey for the new store.`,
        )
      printMessage(terminal, 'Next: set store to the new address, run purser verify, then start the instances.')
    }
    return EXIT.ok
  },
}
