import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { PurserError } from '../../../errors.ts'
import type { Reader, ReaderCalls } from '../worker/threads.ts'

/** Copies the database as of one instant to a new file; writes continue meanwhile. A failure leaves no file. */
export async function backUp(reader: Reader, path: string): Promise<void> {
  const file = resolve(path)
  // SQLite fills an existing empty file, so the copy has the right mode from its first byte.
  const descriptor = createFile(file)
  try {
    await reader.call('backup', file)
    fsyncSync(descriptor)
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** The part that runs in the reader thread. */
export function prepareBackup(connection: DatabaseSync): ReaderCalls['backup'] {
  const copy = connection.prepare('VACUUM INTO ?')
  return (file) => void copy.run(file)
}

function createFile(file: string): number {
  try {
    return openSync(file, 'wx+', 0o600)
  } catch (cause) {
    throw new PurserError('argument_invalid', `The backup file ${file} cannot be created.`, {
      hint: 'Use the path of a file that does not exist yet, in a directory that exists.',
      cause,
    })
  }
}
