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
const [file, ...flags] = process.argv.slice(2)
process.exitCode = await exitCodeOf(node, ['--conditions=@purser/source', '--expose-gc', join(here, file), ...flags])
