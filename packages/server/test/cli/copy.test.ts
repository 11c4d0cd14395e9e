import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openPurser, systemEffects } from 'purser'
import { noPostgres, sharedPostgres } from '../../../purser/test/support/postgres-server.ts'
import { createTempDirectory, MAIN, runPurser, SOURCE_FLAGS } from '../support/processes.ts'

const USERS = 1_000

/** A store with 17 rows for each user, at the configured default path. */
async function createSource(directory: string): Promise<string> {
  assert.equal((await runPurser(['keys', 'create', '--role', 'admin', '--name', 'ana'], directory)).code, 0)
  const key = readFileSync(join(directory, 'data', 'purser.db.key'), 'utf8').trim()
  await using purser = await openPurser({ store: `sqlite:${join(directory, 'data', 'purser.db')}`, secretKey: key })
  await Promise.all(
    Array.from({ length: USERS }, async (_, number) => {
      const user = purser.user(`user ${number}`)
      await user.actions.record(Array.from({ length: 14 }, (_action, index) => ({ action: `a${index}` })))
      await user.ledger.observe({ phase: 'warm' })
    }),
  )
  return key
}

/** The stored progress of a copy into a file. */
function readProgress(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  try {
    using database = new DatabaseSync(path, { readOnly: true })
    const row = database.prepare("SELECT value FROM meta WHERE name = 'copy'").get()
    return row === undefined ? undefined : String(row.value)
  } catch {
    // The tables are being created.
    return undefined
  }
}

const nextTick = (): Promise<void> => new Promise((resolve) => systemEffects.setTimer(resolve, 2))

test('purser copy moves a store, continues after kill -9, and says how to go on', async () => {
  const directory = createTempDirectory()
  const key = await createSource(directory)
  const target = join(directory, 'copy.db')
  const line = ['copy', '--to', `sqlite:${target}`, '--json']
  const child = spawn(process.execPath, [...SOURCE_FLAGS, MAIN, ...line], { cwd: directory, stdio: 'ignore' })
  while ((JSON.parse(readProgress(target) ?? '{"rows":0}') as { rows: number }).rows < 1_000) await nextTick()
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.match(readProgress(target) ?? '', /"rows":\d{4}/, 'the copy was killed before its end')
  const early = await runPurser(['users', '--store', `sqlite:${target}`, '--secret-key', key], directory)
  assert.equal(early.code, 7)
  assert.match(early.stderr, /copy into this store has not ended[\s\S]*Run the same copy again/)
  const done = await runPurser(line, directory)
  assert.equal(done.code, 0, done.stderr)
  assert.equal(JSON.parse(done.stdout).rows.user, USERS + 1, 'and the log of the namespace')
  const verified = await runPurser(['verify', '--json', '--store', `sqlite:${target}`, '--secret-key', key], directory)
  assert.equal(JSON.parse(verified.stdout).ok, true)
  const keys = await runPurser(
    ['keys', 'list', '--json', '--store', `sqlite:${target}`, '--secret-key', key],
    directory,
  )
  assert.match(keys.stdout, /"ana"/)
  const again = await runPurser(line, directory)
  assert.equal(again.code, 2)
  assert.match(again.stdout + again.stderr, /target store is not empty/)
})

test('purser copy needs a target and an existing source', async () => {
  const directory = createTempDirectory()
  assert.equal((await runPurser(['copy'], directory)).code, 2)
  assert.equal((await runPurser(['copy', '--to', 'sqlite:b.db'], directory)).code, 3)
  assert.ok(!existsSync(join(directory, 'b.db')))
})

test('purser copy moves a store to PostgreSQL', { skip: noPostgres }, async () => {
  const directory = createTempDirectory()
  assert.equal((await runPurser(['cap', 'ada', '7'], directory)).code, 0)
  const url = (await sharedPostgres()).url()
  const copied = await runPurser(['copy', '--to', url], directory)
  assert.equal(copied.code, 0, copied.stderr)
  assert.match(copied.stderr, /Copied \d+ users? and 1 event; both stores are equal/)
  assert.match(copied.stderr, /secret key is in .*purser\.db\.key/)
  const key = readFileSync(join(directory, 'data', 'purser.db.key'), 'utf8').trim()
  const shown = await runPurser(['cap', 'ada', '--json', '--store', url, '--secret-key', key], directory)
  assert.equal(JSON.parse(shown.stdout).dailyCap, 7)
})
