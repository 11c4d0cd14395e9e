// `npm run site`: the documentation as a static site in site/dist, with search. Installs the generator if it is missing, writes
// every page, and fails on a link that leads nowhere. Serve the folder with any web server.

import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { run, setUp } from '../scripts/setup.mjs'

const directory = import.meta.dirname
const dist = join(directory, 'dist')

const node = await setUp({ page: false })
if (!existsSync(join(directory, 'node_modules'))) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  await run(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: directory })
}
rmSync(dist, { recursive: true, force: true })
await run(node, [join(directory, 'node_modules', '@11ty', 'eleventy', 'cmd.cjs'), '--quiet'], { cwd: directory })
const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
const bytes = files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0)
process.stdout.write(`${files.length} files, ${Math.round(bytes / 1024)} KiB: ${join(dist, 'index.html')}\n`)
