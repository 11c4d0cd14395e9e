import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { PurserError } from '../../../errors.ts'
import type { Reader } from './reader.ts'

/** Copies the database as it is at one instant; writes go on meanwhile. What fails leaves no file behind. */
export async function backUp(reader: Reader, given: string): Promise<void> {
  const file = resolve(given)
  // An empty file of ours is filled, so that it has the right mode from its first byte.
  const descriptor = makeNew(file)
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

function makeNew(file: string): number {
  try {
    return openSync(file, 'wx+', 0o600)
  } catch (cause) {
    throw new PurserError('argument_invalid', `A backup cannot be written to ${file}.`, {
      hint: 'Give the path of a file that does not exist yet, in a directory that does.',
      cause,
    })
  }
}
