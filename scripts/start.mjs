// `npm start -- FLAGS`: sets up what is missing, then runs the server from its sources.

import { join } from 'node:path'
import { exitCodeOf, root, setUp } from './setup.mjs'

const node = await setUp()
const main = join(root, 'packages', 'server', 'src', 'main.ts')
process.exitCode = await exitCodeOf(node, ['--conditions=@purser/source', main, 'serve', ...process.argv.slice(2)])
