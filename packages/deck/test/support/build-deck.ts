import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

const DECK = join(import.meta.dirname, '../..')

/** Builds the page if there is no build; `npm start` and `npm test` build it whenever a source is newer. */
export async function ensureBuilt(): Promise<void> {
  if (!existsSync(join(DECK, 'dist/index.html'))) await build({ root: DECK, logLevel: 'warn' })
}
