import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

const directories: string[] = []

/** The path of a new database. Its directory is removed after the tests of the file. */
export function temporaryPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'purser-drivers-'))
  directories.push(directory)
  return join(directory, 'purser.db')
}

after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
