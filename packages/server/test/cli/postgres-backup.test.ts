import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { noPostgres, postgresPrograms, sharedPostgres } from '../../../purser/test/support/postgres-server.ts'
import { createTempDirectory, runPurser } from '../support/processes.ts'

const runProgram = promisify(execFile)

test('a dump of PostgreSQL is restored into another database, and everything verifies', {
  skip: noPostgres,
}, async () => {
  const server = await sharedPostgres()
  const directory = createTempDirectory()
  const secret = ['--secret-key', Buffer.alloc(32, 3).toString('base64')]
  const address = server.url().split('?')[0] ?? ''
  const run = (line: string, store: string) => runPurser([...line.split(' '), '--store', store, ...secret], directory)
  const source = `${address}?schema=purser`
  for (const line of [
    'cap ada 7',
    'note ada first',
    'block bob --reason test',
    'erase bob --reason test --confirm bob',
  ])
    assert.equal((await run(line, source)).code, 0, line)
  const checkpointFile = join(directory, 'checkpoint.txt')
  writeFileSync(checkpointFile, (await run('checkpoint', source)).stdout)
  const dump = join(directory, 'purser.dump')
  // As in docs/guides/operations.md.
  await runProgram(join(postgresPrograms, 'pg_dump'), ['--format=custom', '--schema=purser', `--file=${dump}`, address])
  await server.query('CREATE DATABASE restored')
  const restored = address.replace(/\/postgres$/, '/restored')
  const options = ['--clean', '--if-exists', `--dbname=${restored}`, dump]
  await runProgram(join(postgresPrograms, 'pg_restore'), options)
  // A restore can be repeated.
  await runProgram(join(postgresPrograms, 'pg_restore'), options)
  const verified = await run('verify --json', restored)
  assert.deepEqual(JSON.parse(verified.stdout), JSON.parse((await run('verify --json', source)).stdout))
  assert.equal(JSON.parse(verified.stdout).ok, true)
  assert.equal((await run(`verify --checkpoint ${checkpointFile}`, restored)).code, 0)
  for (const line of ['users --json', 'show ada --json', 'events ada --json'])
    assert.equal((await run(line, restored)).stdout, (await run(line, source)).stdout, line)
  assert.equal((await run('cap ada 8', restored)).code, 0, 'and can be written')
})
