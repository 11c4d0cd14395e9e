// `npm start -- FLAGS`: sets up what is missing, then runs the server from its sources.

import { join } from 'node:path'
import { exitCodeOf, root, setUp } from './setup.mjs'

const node = await setUp()
const main = join(root, 'packages', 'server', 'src', 'main.ts')
// Most of what a request leaves behind is short-lived: with more room for it, it is collected less often.
const options = ['--max-semi-space-size=32', '--conditions=@purser/source']
process.exitCode = await exitCodeOf(node, [...options, main, 'serve', ...process.argv.slice(2)])
