// `npm run build`: what the published packages hold. Compiles both packages and puts the Deck into the server's.

import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, setUp } from './setup.mjs'

const node = await setUp()
for (const name of ['purser', 'server']) {
  const folder = join(root, 'packages', name)
  rmSync(join(folder, 'dist'), { recursive: true, force: true })
  await run(node, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(folder, 'tsconfig.build.json')])
}
const page = join(root, 'packages', 'deck', 'dist')
if (existsSync(page)) cpSync(page, join(root, 'packages', 'server', 'dist', 'deck'), { recursive: true })
