import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const run = promisify(execFile)

/** What each example shows. An example that is not listed here fails. */
const SHOWS: Readonly<Record<string, readonly RegExp[]>> = {
  'library.ts': [
    /Ada/,
    /Opened the lesson on fractions/,
    /\(1 left\)/,
    /\(0 left\)/,
    /refused: daily_cap, again at \d{4}-/,
  ],
}
/** Needs a running gateway: the server's own tests run it. */
const NEEDS_GATEWAY = ['openai-client.ts']

for (const name of globSync('*.ts', { cwd: join(root, 'examples') }).filter((file) => !NEEDS_GATEWAY.includes(file))) {
  test(`the example ${name} shows what it says`, async () => {
    const { stdout } = await run(process.execPath, ['--conditions=@purser/source', join(root, 'examples', name)])
    for (const expected of SHOWS[name] ?? assert.fail(`nobody says what ${name} shows`)) assert.match(stdout, expected)
  })
}
