// Runs one bench with the project's Node: installs the peers when they are missing.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { exitCodeOf, run, setUp } from '../scripts/setup.mjs'

const node = await setUp({ page: false })
const here = import.meta.dirname
if (!existsSync(join(here, 'node_modules'))) {
  await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: here,
  })
}
const given = process.argv.slice(2)
// What stands before the file is for Node.
const begin = given.findIndex((argument) => !argument.startsWith('--'))
const [file, ...flags] = given.slice(begin)
const options = ['--conditions=@purser/source', '--expose-gc', ...given.slice(0, begin)]
process.exitCode = await exitCodeOf(node, [...options, join(here, file), ...flags])
