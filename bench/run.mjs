// Runs one benchmark with the Node of this repository. Installs the compared libraries if they are missing.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { exitCodeOf, run, setUp } from '../scripts/setup.mjs'

const node = await setUp({ page: false, program: true })
const directory = import.meta.dirname
if (!existsSync(join(directory, 'node_modules'))) {
  await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: directory,
  })
}
const args = process.argv.slice(2)
// Options in front of the file are options of Node.
const fileIndex = args.findIndex((arg) => !arg.startsWith('--'))
const [file, ...programArgs] = args.slice(fileIndex)
const nodeOptions = ['--conditions=@purser/source', '--expose-gc', ...args.slice(0, fileIndex)]
process.exitCode = await exitCodeOf(node, [...nodeOptions, join(directory, file), ...programArgs])
