// `npm run packaging`: builds, packs both packages, checks the tarballs as a registry and a compiler would see them,
// then installs them into an empty folder and uses them.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run, setUp } from './setup.mjs'

const node = await setUp()
await run(node, [join(root, 'scripts', 'build.mjs')])

const folder = mkdtempSync(join(tmpdir(), 'purser-packaging-'))
const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const tool = (name, args) => run(node, [join(root, 'node_modules', name), ...args])

try {
  const tarballs = {}
  for (const name of ['purser', 'server']) {
    const [packed] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder], join(root, 'packages', name)))
    tarballs[packed.name] = join(folder, packed.filename)
    await tool('publint/src/cli.js', ['run', join(root, 'packages', name), '--strict'])
    await tool('@arethetypeswrong/cli/dist/index.js', [tarballs[packed.name], '--profile', 'esm-only', '--quiet'])
  }

  const user = join(folder, 'user')
  execFileSync('mkdir', [user])
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  npm(['install', '--no-audit', '--no-fund', '--loglevel=error', ...Object.values(tarballs)], user)
  writeFileSync(
    join(user, 'first.js'),
    `import { openPurser } from 'purser'
await using purser = await openPurser({ store: 'memory:', ledger: { dailyCap: 1 } })
const admission = await purser.user('first').ledger.admit()
if (!admission.allowed || admission.remaining !== 0) throw new Error('the packed library does not count')`,
  )
  await run(node, ['first.js'], { cwd: user })
  await run(node, [join(user, 'node_modules', '@purser', 'server', 'dist', 'main.js'), '--version'], { cwd: user })
  const page = join(user, 'node_modules', '@purser', 'server', 'dist', 'deck', 'index.html')
  if (!existsSync(page)) throw new Error('the packed server has no Deck')
  process.stdout.write('The packed packages install and work.\n')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
