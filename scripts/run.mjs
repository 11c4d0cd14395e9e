// `node scripts/run.mjs TASK [ARGUMENTS]`: sets up what is missing, then runs a task of package.json with the pinned Node.

import { delimiter, dirname, join } from 'node:path'
import { exitCodeOf, root, serverFlags, serverProgram, setUp } from './setup.mjs'

const [task, ...args] = process.argv.slice(2)
const main = join(root, 'packages', 'server', 'src', 'main.ts')
const source = '--conditions=@purser/source'
const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
const deck = join(root, 'packages', 'deck')

const tasks = {
  setup: async () => void (await setUp()),

  start: async () => exitCodeOf(await setUp({ program: true }), [...serverFlags, serverProgram, 'serve', ...args]),

  purser: async () => exitCodeOf(await setUp({ page: false }), [source, main, ...args]),

  /** The Deck with hot reload, on the mock API; nothing is built. Arguments are flags of Vite. */
  'dev:deck': async () => exitCodeOf(await setUp({ page: false }), [vite, deck, ...args]),

  /** The server with demo traffic and the Deck on it, both reloaded on changes. Sign in with the printed link. */
  dev: async () => {
    const node = await setUp()
    const server = ['--watch', source, main, 'demo', '--port', '7118', ...args]
    const env = { ...process.env, PURSER_DEV_API: 'http://127.0.0.1:7118' }
    const codes = [exitCodeOf(node, server), exitCodeOf(node, [vite, deck, '--host', '127.0.0.1'], { env })]
    return Math.max(...(await Promise.all(codes)))
  },

  /** Arguments are test files, or flags of the test runner. */
  test: async () => runTests(args),

  /** The long proofs (crash cycles, histories, model runs) in full, one file after the other. */
  'test:full': async () => {
    process.env.PURSER_TEST_FULL = '1'
    return runTests([...args, '--test-concurrency=1'])
  },

  /** All tests, with the coverage of the sources at the end. */
  coverage: async () =>
    runTests([...args, '--experimental-test-coverage', '--test-coverage-include=packages/*/src/**/*.ts']),

  /** A file of the repository, with the packages resolved to their sources. */
  node: async () => exitCodeOf(await setUp({ page: false }), [source, ...args]),
}

async function runTests(args) {
  const node = await setUp()
  const flags = args.filter((argument) => argument.startsWith('-'))
  const named = args.filter((argument) => !argument.startsWith('-'))
  const files = named.length > 0 ? named : ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts']
  return exitCodeOf(node, [source, '--test', '--test-concurrency=2', ...flags, ...files], {
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  })
}

if (!Object.hasOwn(tasks, task ?? '')) {
  process.stderr.write(`Unknown task '${task ?? ''}'. Tasks: ${Object.keys(tasks).join(', ')}.\n`)
  process.exitCode = 2
} else process.exitCode = (await tasks[task]()) ?? 0
