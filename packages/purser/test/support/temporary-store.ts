import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

const places: string[] = []

/** A path for a new database. Its directory is removed when the tests of the file are over. */
export function newPath(): string {
  const place = mkdtempSync(join(tmpdir(), 'purser-drivers-'))
  places.push(place)
  return join(place, 'purser.db')
}

after(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true })
})
