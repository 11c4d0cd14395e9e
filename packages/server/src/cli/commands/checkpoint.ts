import type { Command } from '../command.ts'
import { connectReadOnly } from '../connection.ts'
import { EXIT } from '../exit-codes.ts'
import { API_FLAGS } from '../flags.ts'
import { printJson } from '../terminal.ts'

export const checkpoint: Command = {
  name: 'checkpoint',
  operands: '',
  operandCount: [0, 0],
  summary: 'Prints signed text that covers all events so far, for verify --checkpoint. Store it outside the database.',
  flags: API_FLAGS,
  async run(invocation) {
    const { flags, terminal } = invocation
    await using connection = await connectReadOnly(invocation)
    const text = await (await connection.stream(['checkpoint'], { signal: terminal.signal })).text()
    if (flags.json === true) printJson(terminal, { checkpoint: text })
    else terminal.stdout.write(text)
    return EXIT.ok
  },
}
