import { DEFAULTS } from 'purser'
import { type Config, loadConfig } from '../../config/load.ts'
import { masked } from '../../config/mask.ts'
import { type Command, EXIT, GENERAL_FLAGS, SETTING_FLAGS } from '../command.ts'
import { sayLocal } from '../connection.ts'
import { print, printJson, say } from '../terminal.ts'

export const configPrint: Command = {
  name: 'config print',
  operands: '',
  summary: 'The effective configuration, secrets masked.',
  takes: [0, 0],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS },
  async run(call) {
    const { flags, terminal } = call
    sayLocal(call)
    const { config, file, warnings, filled } = loadConfig({
      flags,
      environment: terminal.environment,
      directory: terminal.directory,
    })
    for (const warning of warnings) say(terminal, `warning: ${warning}`)
    say(terminal, file === null ? 'no configuration file' : `from ${file}`)
    const shown = masked(whole(config), filled)
    if (flags.json === true) printJson(terminal, shown)
    else print(terminal, JSON.stringify(shown, null, 2))
    return EXIT.ok
  },
}

/** With what the library fills in. A limit of null is none. */
function whole(config: Config): Record<string, unknown> {
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
