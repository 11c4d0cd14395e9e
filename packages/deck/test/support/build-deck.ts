import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

const DECK = join(import.meta.dirname, '../..')

/** The folder of the build with React; the tests run with it under `PURSER_DECK_BUILD=react`. */
const REACT_DIST: string = join(DECK, 'dist-react')

/** The built page that browsers get instead of that of the server; undefined for the latter. */
export const replacedDist: string | undefined = process.env.PURSER_DECK_BUILD === 'react' ? REACT_DIST : undefined

/** Builds the page if there is no build; `npm start` and `npm test` build it whenever a source is newer. */
export async function ensureBuilt(): Promise<void> {
  if (!existsSync(join(DECK, 'dist/index.html'))) await build({ root: DECK, logLevel: 'warn' })
}

/** Builds the page with React instead of Preact. */
export async function buildWithReact(): Promise<void> {
  await build({ root: DECK, mode: 'react', logLevel: 'warn' })
}
