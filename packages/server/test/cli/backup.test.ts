import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { createProgress } from '../../src/cli/progress.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { createTempDirectory, MAIN, runPurser, SOURCE_FLAGS, spawnPurser, startPurser } from '../support/processes.ts'

/** Runs commands in child processes. */
const spawnIn = (directory: string) => (line: string) => spawnPurser(line.split(' '), directory)

/** Runs commands in this process, which is faster, for preparations and checks. */
const runIn = (directory: string) => (line: string) => runPurser(line.split(' '), directory)

/** The files of the store with the hashes of their contents. */
function hashFiles(directory: string): Record<string, string> {
  const data = join(directory, 'data')
  const hashes = readdirSync(data).map((name) => [
    name,
    createHash('sha256')
      .update(readFileSync(join(data, name)))
      .digest('hex'),
  ])
  return Object.fromEntries(hashes)
}

test('a backup is made while the server runs, with mode 0600, without the key, and overwrites no file', async () => {
  const directory = createTempDirectory()
  const spawnCommand = spawnIn(directory)
  const server = await startPurser({ store: 'sqlite:data/purser.db' }, directory)
  try {
    await server.api('PUT', '/api/users/ada/cap', { cap: 5, reason: 'before' })
    const created = await spawnCommand('backup copy.db --json')
    assert.equal(created.code, 0, created.stderr)
    const { file, bytes, keyFile } = JSON.parse(created.stdout)
    assert.deepEqual([file, keyFile], [join(directory, 'copy.db'), join(directory, 'data', 'purser.db.key')])
    assert.equal(statSync(file).size, bytes)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.ok(!readFileSync(file).includes(readFileSync(keyFile, 'utf8').trim()))
    const before = readFileSync(file)
    const repeated = await spawnCommand('backup copy.db')
    assert.equal(repeated.code, 2)
    assert.match(repeated.stderr, /does not exist yet/)
    assert.deepEqual(readFileSync(file), before)
    const second = await spawnCommand('backup second.db')
    assert.match(second.stderr, /key is NOT in the backup[\s\S]*purser\.db\.key/)
    assert.equal(second.stdout, '')
  } finally {
    await server.stop()
  }
})

test('a backup of a missing store, or of one that is not a file, fails and creates nothing', async () => {
  const directory = createTempDirectory()
  const spawnCommand = spawnIn(directory)
  assert.equal((await spawnCommand('backup copy.db')).code, 3)
  assert.equal((await spawnCommand('backup copy.db --store memory:')).code, 2)
  assert.deepEqual(readdirSync(directory), [])
})

test('a restored store equals the backup, and the old one is kept complete beside it', async () => {
  const directory = createTempDirectory()
  const spawnCommand = spawnIn(directory)
  await runIn(directory)('cap ada 5 --reason before')
  await spawnCommand('backup copy.db')
  await runIn(directory)('cap ada 9 --reason after')
  const refused = await spawnCommand('restore copy.db')
  assert.equal(refused.code, 5)
  assert.match(refused.stderr, /--force/)
  const restored = await spawnCommand('restore copy.db --force --json')
  assert.equal(restored.code, 0, restored.stderr)
  const { aside } = JSON.parse(restored.stdout)
  assert.equal(JSON.parse((await runIn(directory)('cap ada --json')).stdout).dailyCap, 5)
  assert.equal((await runIn(directory)('verify')).code, 0)
  // The old store opens under its new name with the same key.
  copyFileSync(join(directory, 'data', 'purser.db.key'), `${aside}.key`)
  const old = await spawnCommand(`cap ada --json --store sqlite:${aside}`)
  assert.equal(JSON.parse(old.stdout).dailyCap, 9, old.stderr)
})

test('a killed restore leaves a complete store, and the next one deletes its temporary files', async () => {
  const directory = createTempDirectory()
  await runIn(directory)('cap ada 5 --reason before')
  await spawnIn(directory)('backup copy.db')
  await runIn(directory)('cap ada 9 --reason after')
  const data = join(directory, 'data')
  const child = spawn(process.execPath, [...SOURCE_FLAGS, MAIN, 'restore', 'copy.db', '--force'], {
    cwd: directory,
    env: { PATH: process.env.PATH },
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const watcher = watch(data, () => child.kill('SIGKILL'))
  await ended
  watcher.close()
  assert.ok([5, 9].includes(JSON.parse((await runIn(directory)('cap ada --json')).stdout).dailyCap))
  assert.equal((await runIn(directory)('restore copy.db --force')).code, 0)
  assert.ok(readdirSync(data).every((name) => !name.includes('restoring')))
  assert.equal(JSON.parse((await runIn(directory)('cap ada --json')).stdout).dailyCap, 5)
})

test('a restore under a running server fails and does not disturb it', async () => {
  const directory = createTempDirectory()
  const spawnCommand = spawnIn(directory)
  await runIn(directory)('cap ada 5 --reason before')
  await runIn(directory)('backup copy.db')
  const server = await startPurser({ store: 'sqlite:data/purser.db' }, directory)
  try {
    const refused = await spawnCommand('restore copy.db --force')
    assert.equal(refused.code, 5, refused.stderr)
    assert.match(refused.stderr, /in use/)
    const { status } = await server.api('PUT', '/api/users/ada/cap', { cap: 6, reason: 'still running' })
    assert.equal(status, 200)
    assert.ok(
      readdirSync(join(directory, 'data')).every((name) => !name.includes('restor') && !name.includes('before')),
    )
  } finally {
    await server.stop()
  }
  assert.equal(JSON.parse((await runIn(directory)('cap ada --json')).stdout).dailyCap, 6)
})

test('a backup that is damaged, foreign, of another key or of a newer version changes nothing', async () => {
  const directory = createTempDirectory()
  const spawnCommand = spawnIn(directory)
  await runIn(directory)('cap ada 5 --reason before')
  await runIn(directory)('backup copy.db')
  const path = (name: string) => join(directory, name)
  copyFileSync(path('copy.db'), path('damaged.db'))
  truncateSync(path('damaged.db'), statSync(path('damaged.db')).size - 4_096)
  writeFileSync(path('text.db'), 'no database')
  writeFileSync(path('empty.db'), '')
  const newer = readFileSync(path('copy.db'))
  newer.writeUInt32BE(99, 60)
  writeFileSync(path('newer.db'), newer)
  await spawnCommand('cap bob 1 --reason other --store sqlite:other/purser.db')
  await spawnCommand('backup other.db --store sqlite:other/purser.db')
  const before = hashFiles(directory)
  for (const [line, code] of [
    ['restore damaged.db --force', 1],
    ['restore text.db --force', 1],
    ['restore empty.db --force', 2],
    ['restore newer.db --force', 7],
    ['restore other.db --force', 4],
    ['restore none.db --force', 3],
    ['restore copy.db --store memory: --force', 2],
  ] as const) {
    const refused = await runIn(directory)(line)
    assert.equal(refused.code, code, `${line}: ${refused.stderr}`)
    assert.deepEqual(hashFiles(directory), before, line)
  }
  assert.equal(JSON.parse((await runIn(directory)('cap ada --json')).stdout).dailyCap, 5)
})

test('a damaged store is replaced with all its files, and a new store is restored from the backup and its key', async () => {
  const directory = createTempDirectory()
  const spawnCommand = spawnIn(directory)
  await runIn(directory)('cap ada 5 --reason before')
  await runIn(directory)('backup copy.db')
  writeFileSync(join(directory, 'data', 'purser.db'), 'damaged')
  writeFileSync(join(directory, 'data', 'purser.db-wal'), 'damaged log')
  const restored = await spawnCommand('restore copy.db --force --json')
  assert.equal(restored.code, 0, restored.stderr)
  const { aside } = JSON.parse(restored.stdout)
  assert.deepEqual([readFileSync(aside, 'utf8'), readFileSync(`${aside}-wal`, 'utf8')], ['damaged', 'damaged log'])
  assert.equal(JSON.parse((await runIn(directory)('cap ada --json')).stdout).dailyCap, 5)

  const store = '--store sqlite:new/purser.db'
  const withoutKey = await spawnCommand(`restore copy.db ${store}`)
  assert.equal(withoutKey.code, 4)
  assert.match(withoutKey.stderr, /purser\.db\.key/)
  assert.ok(!existsSync(join(directory, 'new', 'purser.db')))
  copyFileSync(join(directory, 'data', 'purser.db.key'), join(directory, 'new', 'purser.db.key'))
  assert.equal((await spawnCommand(`restore copy.db ${store}`)).code, 0)
  assert.equal(JSON.parse((await spawnCommand(`cap ada --json ${store}`)).stdout).dailyCap, 5)
  assert.equal(statSync(join(directory, 'new', 'purser.db')).mode & 0o777, 0o600)
})

test('a progress bar is drawn only on a terminal', () => {
  const draw = (isTTY: boolean): string => {
    let text = ''
    const stderr = new Writable({
      write(part, _encoding, done) {
        text += String(part)
        done()
      },
    })
    const progress = createProgress({ stderr: Object.assign(stderr, { isTTY }) } as unknown as Terminal, 'Copying')
    for (const fraction of [0, 0.5, 0.504, 1]) progress.update(fraction)
    progress.end()
    return text
  }
  assert.equal(draw(false), '')
  assert.match(draw(true), /^\rCopying \[\.{24}\] 0 %\rCopying \[#{12}\.{12}\] 50 %\rCopying \[#{24}\] 100 %\n$/)
})
