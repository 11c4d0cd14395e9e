import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

/** Patterns in the output of each example. An example without patterns fails. */
const OUTPUTS: Readonly<Record<string, readonly RegExp[]>> = {
  'library.ts': [
    /Ada/,
    /Opened the lesson on fractions/,
    /\(1 left\)/,
    /\(0 left\)/,
    /refused: daily_cap, resets at \d{4}-/,
  ],
}
/** Needs a running gateway; the tests of the server run it. */
const NEEDS_GATEWAY = ['openai-client.ts']

for (const name of globSync('*.ts', { cwd: join(root, 'examples') }).filter((file) => !NEEDS_GATEWAY.includes(file))) {
  test(`the example ${name} runs and prints the expected output`, async () => {
    const { stdout } = await run(process.execPath, ['--conditions=@purser/source', join(root, 'examples', name)])
    for (const expected of OUTPUTS[name] ?? assert.fail(`${name} has no expected output`))
      assert.match(stdout, expected)
  })
}
