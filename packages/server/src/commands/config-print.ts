import { loadConfig } from '../config/load.ts'
import { masked } from '../config/mask.ts'
import { type Command, EXIT, GENERAL_FLAGS, SETTING_FLAGS } from './command.ts'
import { print, printJson, say } from './terminal.ts'

export const configPrint: Command = {
  name: 'config print',
  operands: '',
  summary: 'The effective configuration, secrets masked.',
  takes: [0, 0],
  flags: { ...GENERAL_FLAGS, ...SETTING_FLAGS },
  async run({ flags, terminal }) {
    const { config, file, warnings, filled } = loadConfig({
      flags,
      environment: terminal.environment,
      directory: terminal.directory,
    })
    for (const warning of warnings) say(terminal, `warning: ${warning}`)
    say(terminal, file === null ? 'no configuration file' : `from ${file}`)
    const shown = masked(config, filled)
    if (flags.json === true) printJson(terminal, shown)
    else print(terminal, JSON.stringify(shown, null, 2))
    return EXIT.ok
  },
}
