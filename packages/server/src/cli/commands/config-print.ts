import { DEFAULTS } from 'purser'
import { type Config, loadConfig } from '../../config/load.ts'
import { maskConfig } from '../../config/mask.ts'
import type { Command } from '../command.ts'
import { warnLocal } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { LOCAL_FLAGS } from '../flags.ts'
import { print, printJson, printMessage } from '../terminal.ts'

export const configPrint: Command = {
  name: 'config print',
  operands: '',
  operandCount: [0, 0],
  summary: 'Prints the effective configuration, with secrets masked.',
  flags: LOCAL_FLAGS,
  async run(invocation) {
    const { flags, terminal } = invocation
    warnLocal(invocation)
    const { config, file, warnings, environmentPaths } = loadConfig({
      flags,
      environment: terminal.environment,
      directory: terminal.directory,
    })
    for (const warning of warnings) printMessage(terminal, `warning: ${warning}`)
    printMessage(terminal, `configuration file: ${file ?? 'none'}`)
    const masked = maskConfig(withLibraryDefaults(config), environmentPaths)
    if (flags.json === true) printJson(terminal, masked)
    else print(terminal, JSON.stringify(masked, null, 2))
    return EXIT.ok
  },
}

function withLibraryDefaults(config: Config): Record<string, unknown> {
  const { runtime, context, ledger, answers } = DEFAULTS
  return {
    ...DEFAULTS,
    providers: {},
    mcpServers: {},
    presets: {},
    ...config,
    runtime: { ...runtime, ...config.runtime },
    context: { ...context, ...config.context },
    ledger: { ...ledger, ...config.ledger },
    answers: { ...answers, ...config.answers },
  }
}
