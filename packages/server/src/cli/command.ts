import type { ExitCode } from './exit-codes.ts'
import type { Flags } from './flags.ts'
import type { Terminal } from './terminal.ts'

/** One subcommand of `purser`. */
export interface Command {
  /** One word, or two for a group: `keys create`. */
  readonly name: string
  /** The operands after the name, as in `ID [N|unlimited|default]`. */
  readonly operands: string
  readonly operandCount: readonly [min: number, max: number]
  readonly summary: string
  readonly flags: Flags
  run(invocation: Invocation): Promise<ExitCode>
}

/** One call of a command, parsed. */
export interface Invocation {
  readonly operands: readonly string[]
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly terminal: Terminal
}
