import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, test } from 'node:test'
import { findFreePort } from '../packages/purser/test/support/free-port.ts'
import { noPostgres, sharedPostgres } from '../packages/purser/test/support/postgres-server.ts'
import { MAIN, SOURCE_FLAGS } from '../packages/server/test/support/processes.ts'
import { ROOT, readBlocks } from './support/pages.ts'

/*
 * The commands of the page on deployment, from a store in SQLite to two instances on PostgreSQL behind nginx, in one shell
 * and word for word, with other ports and the address of the test's server.
 */

const hasNginx = spawnSync('nginx', ['-v']).status === 0
const folder = mkdtempSync(join(tmpdir(), 'purser-way-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Instead of npm, which works in the clone: `npm start -- …` and `npm run --silent purser -- …` in the folder of the test. */
function createNpm(): string {
  const programs = join(folder, 'bin')
  mkdirSync(programs)
  const run = ['exec', process.execPath, ...SOURCE_FLAGS, MAIN].join(' ')
  const script = `#!/bin/sh
case "$1" in
  start) shift; [ "$1" = -- ] && shift; ${run} serve "$@" ;;
  run) shift 4; ${run} "$@" ;;
esac
`
  writeFileSync(join(programs, 'npm'), script)
  chmodSync(join(programs, 'npm'), 0o755)
  symlinkSync(join(ROOT, 'deploy'), join(folder, 'deploy'))
  return programs
}

/** When a command fails, nothing goes on. */
const CLEAN_UP = 'trap \'nginx -c "$PWD/nginx.conf" -s stop 2>&1; kill $(jobs -p) 2>&1\' ERR'

test('the commands from SQLite to two instances behind nginx work in one shell', {
  skip: noPostgres || (hasNginx ? false : 'nginx is not installed (Debian: apt-get install nginx-light)'),
}, async (context) => {
  const blocks = readBlocks('docs/guides/deployment.md').filter(({ words }) => words.includes('way'))
  assert.equal(blocks.length, 4)
  const [first, second, proxy] = [await findFreePort(), await findFreePort(), await findFreePort()]
  const commands = blocks
    .map(({ text }) => text)
    .join('\n')
    .replaceAll('127.0.0.1:7117', `127.0.0.1:${first}`)
    .replaceAll('npm start &', `npm start -- --port ${first} &`)
    .replaceAll('--port 7117', `--port ${first}`)
    .replaceAll('--port 7118', `--port ${second}`)
    .replaceAll('127.0.0.1:7118', `127.0.0.1:${second}`)
    .replaceAll('8443', String(proxy))
    .replace(/'postgres:[^']*'/, `'${(await sharedPostgres()).url()}'`)
  const startedAt = performance.now()
  const shell = spawn('bash', ['-e', '-c', `${CLEAN_UP}\n${commands}`], {
    cwd: folder,
    env: { PATH: `${createNpm()}${delimiter}${process.env.PATH}`, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const [code] = (await once(shell, 'close')) as [number | null]
  assert.equal(code, 0, output)
  assert.match(output, /"chat\.completion"/)
  assert.match(output, /Copied \d+ users? and \d+ events?; both stores are equal/)
  assert.match(output, /"user":"ada"/, 'the user is in the new store')
  assert.equal(output.split('Shutting down: draining requests.').length - 1, 3)
  context.diagnostic(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s`)
})
