import type { Command } from '../command.ts'
import { createCompletion, SHELLS, type Shell } from '../completion-script.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { print } from '../terminal.ts'

/** @param getCommands all subcommands; a function, because this one is among them */
export function createCompletionCommand(getCommands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    operands: SHELLS.join('|'),
    operandCount: [1, 1],
    summary: 'Prints a script that completes commands and flags in a shell.',
    flags: { help: { type: 'boolean', help: 'print this help' } },
    async run({ operands, terminal }) {
      const shell = operands[0] as Shell
      if (!SHELLS.includes(shell)) throw new UsageError(`Unknown shell '${shell}'. Shells: ${SHELLS.join(', ')}.`)
      for (const line of createCompletion(shell, getCommands())) print(terminal, line)
      return EXIT.ok
    },
  }
}
