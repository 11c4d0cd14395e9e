#!/usr/bin/env node

// Before any import, so that an old Node.js says this, and not what it lacks. `engines` of the packages says the same.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isSupported = major > 26 || (major === 26 && minor >= 1) || (major === 24 && minor >= 16)
if (!isSupported) {
  process.stderr.write(`purser needs Node.js 24.16 or a newer 24, or 26.1 or newer. This is ${process.version}.\n`)
  process.exit(1)
}

const { enableCompileCache, getCompileCacheDir } = await import('node:module')
// Before the rest is loaded: code is compiled once, not at every start. The variable is for the threads of the store.
enableCompileCache()
process.env.NODE_COMPILE_CACHE ??= getCompileCacheDir() ?? ''
const { run } = await import('./cli/run.ts')

/** A terminal and a parent process may both forward one Ctrl-C; signals within this time count as one. */
const SAME_INTERRUPT_MS = 500

const interrupt = new AbortController()
let firstSignalAt: number | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    firstSignalAt ??= performance.now()
    // The first signal starts a graceful exit, a second one exits immediately.
    if (performance.now() - firstSignalAt > SAME_INTERRUPT_MS) process.exit(130)
    interrupt.abort(new DOMException(signal, 'AbortError'))
  })
}

// A reader of the output that leaves ends a command quietly, as in `purser users | head`. A server goes on.
const isServer = ['serve', 'demo'].includes(process.argv[2] ?? '')
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  if (!isServer) interrupt.abort(error)
})
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

// A command that only waits for events has nothing else that keeps the process alive.
const keepAlive = setInterval(() => {}, 2 ** 30)
process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  directory: process.cwd(),
  signal: interrupt.signal,
})
clearInterval(keepAlive)

export {}
