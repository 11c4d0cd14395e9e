// `npm run purser -- COMMAND`: sets up what is missing, then runs the command from its sources.

import { join } from 'node:path'
import { exitCodeOf, root, setUp } from './setup.mjs'

const node = await setUp({ page: false })
const main = join(root, 'packages', 'server', 'src', 'main.ts')
process.exitCode = await exitCodeOf(node, ['--conditions=@purser/source', main, ...process.argv.slice(2)])
