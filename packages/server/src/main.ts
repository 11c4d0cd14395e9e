#!/usr/bin/env node
import { run } from './cli/run.ts'

/** A terminal and a parent may both pass the same Ctrl-C on. */
const SAME_INTERRUPTION_MS = 500

const interrupted = new AbortController()
let firstAt: number | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    firstAt ??= performance.now()
    // The first asks to end in good order, the second does not wait for it.
    if (performance.now() - firstAt > SAME_INTERRUPTION_MS) process.exit(130)
    interrupted.abort(new DOMException(signal, 'AbortError'))
  })
}

// A command that only waits for news has nothing else that keeps the process alive.
const running = setInterval(() => {}, 2 ** 30)
process.exitCode = await run(process.argv.slice(2), {
  input: process.stdin,
  output: process.stdout,
  talk: process.stderr,
  environment: process.env,
  directory: process.cwd(),
  interrupted: interrupted.signal,
})
clearInterval(running)
