// `npm test`: sets up what is missing, then runs every test. Arguments are test files, or flags of the runner.

import { delimiter, dirname } from 'node:path'
import { exitCodeOf, setUp } from './setup.mjs'

const node = await setUp()
const given = process.argv.slice(2)
const flags = given.filter((argument) => argument.startsWith('-'))
const named = given.filter((argument) => !argument.startsWith('-'))
const files = named.length > 0 ? named : ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts']

process.exitCode = await exitCodeOf(
  node,
  ['--conditions=@purser/source', '--test', '--test-concurrency=2', ...flags, ...files],
  {
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  },
)
