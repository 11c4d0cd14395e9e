// `npm run build`: what the published packages hold. Compiles both packages, or the one that is named, and puts the Deck
// into the server's, and license and changelog into each.

import { copyFileSync, cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, setUp } from './setup.mjs'

const packages = ['purser', 'server']
const named = process.argv.slice(2)
const node = await setUp({ page: named.length === 0 || named.includes('server') })
for (const name of packages.filter((one) => named.length === 0 || named.includes(one))) {
  const folder = join(root, 'packages', name)
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  // Without source maps: the output is the source without its types, and they would be a third of the package.
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await run(node, [tsc, '-p', join(folder, 'tsconfig.build.json'), '--sourceMap', 'false'])
  for (const file of ['LICENSE', 'CHANGELOG.md']) copyFileSync(join(root, file), join(folder, file))
  const page = join(root, 'packages', 'deck', 'dist')
  if (name === 'server' && existsSync(page)) cpSync(page, join(folder, 'dist', 'deck'), { recursive: true })
}
