import { writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { createConfigJsonSchema } from '../../config/json-schema.ts'
import { DEFAULT_FILE } from '../../config/load.ts'
import { SAMPLE_CONFIG, SCHEMA_FILE } from '../../config/sample-config.ts'
import type { Command } from '../command.ts'
import { UsageError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { GENERAL_FLAGS, getText } from '../flags.ts'
import { printJson, printMessage } from '../terminal.ts'

export const init: Command = {
  name: 'init',
  operands: '',
  operandCount: [0, 0],
  summary: 'Writes a commented configuration file, and its JSON Schema for editors.',
  flags: GENERAL_FLAGS,
  async run({ flags, terminal }) {
    const file = resolve(terminal.directory, getText(flags.config) ?? DEFAULT_FILE)
    const schemaFile = join(dirname(file), SCHEMA_FILE)
    // It may get keys.
    await writeNew(file, SAMPLE_CONFIG, 0o600)
    await writeFile(schemaFile, toText(createConfigJsonSchema()))
    if (flags.json === true) printJson(terminal, { file, schemaFile })
    else {
      printMessage(terminal, `Wrote ${basename(file)} and ${SCHEMA_FILE}.`)
      printMessage(terminal, 'Next: purser doctor checks it, purser serve starts with it.')
    }
    return EXIT.ok
  },
}

async function writeNew(file: string, value: object, mode: number): Promise<void> {
  try {
    await writeFile(file, toText(value), { flag: 'wx', mode })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new UsageError(`${file} exists already; remove it, or name another file with --config.`)
    throw new UsageError(`${file} cannot be written: ${code ?? 'unknown error'}.`)
  }
}

function toText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
