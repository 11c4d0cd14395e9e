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
import { FROM_SOURCE, freshDirectory, runPurser, spawnPurser, startPurser } from '../support/processes.ts'

const purser = (directory: string) => (words: string) => spawnPurser(words.split(' '), directory)

/** What only prepares or looks is done in this process, as starting one for each takes long. */
const inside = (directory: string) => (words: string) => runPurser(words.split(' '), directory)

/** Everything in the folder of the store, by name and content. */
function contents(directory: string): Record<string, string> {
  const folder = join(directory, 'data')
  const hashes = readdirSync(folder).map((name) => [
    name,
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex'),
  ])
  return Object.fromEntries(hashes)
}

test('a backup is made while the server runs, for its owner alone, over nothing, and without the key', async () => {
  const directory = freshDirectory()
  const run = purser(directory)
  const server = await startPurser({ store: 'sqlite:data/purser.db' }, directory)
  try {
    await server.api('PUT', '/api/users/ada/cap', { cap: 5, reason: 'before' })
    const made = await run('backup copy.db --json')
    assert.equal(made.code, 0, made.talk)
    const { file, bytes, keyFile } = JSON.parse(made.output)
    assert.deepEqual([file, keyFile], [join(directory, 'copy.db'), join(directory, 'data', 'purser.db.key')])
    assert.equal(statSync(file).size, bytes)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.ok(!readFileSync(file).includes(readFileSync(keyFile, 'utf8').trim()))
    const before = readFileSync(file)
    const again = await run('backup copy.db')
    assert.equal(again.code, 2)
    assert.match(again.talk, /does not exist yet/)
    assert.deepEqual(readFileSync(file), before)
    const told = await run('backup second.db')
    assert.match(told.talk, /key is NOT in it[\s\S]*purser\.db\.key/)
    assert.equal(told.output, '')
  } finally {
    await server.stop()
  }
})

test('a backup of no store, or of one that is no file, is refused and makes none', async () => {
  const directory = freshDirectory()
  const run = purser(directory)
  assert.equal((await run('backup copy.db')).code, 3)
  assert.equal((await run('backup copy.db --store memory:')).code, 2)
  assert.deepEqual(readdirSync(directory), [])
})

test('a restored store is what the backup was, and the old one stays whole beside it', async () => {
  const directory = freshDirectory()
  const run = purser(directory)
  await inside(directory)('cap ada 5 --reason before')
  await run('backup copy.db')
  await inside(directory)('cap ada 9 --reason after')
  const refused = await run('restore copy.db')
  assert.equal(refused.code, 5)
  assert.match(refused.talk, /--force/)
  const restored = await run('restore copy.db --force --json')
  assert.equal(restored.code, 0, restored.talk)
  const { aside } = JSON.parse(restored.output)
  assert.equal(JSON.parse((await inside(directory)('cap ada --json')).output).dailyCap, 5)
  assert.equal((await inside(directory)('verify')).code, 0)
  // The old one opens as a store under its other name, with the same key.
  copyFileSync(join(directory, 'data', 'purser.db.key'), `${aside}.key`)
  const old = await run(`cap ada --json --store sqlite:${aside}`)
  assert.equal(JSON.parse(old.output).dailyCap, 9, old.talk)
})

test('a restore that is killed leaves a whole store, and the next one clears up behind it', async () => {
  const directory = freshDirectory()
  await inside(directory)('cap ada 5 --reason before')
  await purser(directory)('backup copy.db')
  await inside(directory)('cap ada 9 --reason after')
  const folder = join(directory, 'data')
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [...FROM_SOURCE, main, 'restore', 'copy.db', '--force'], {
    cwd: directory,
    env: { PATH: process.env.PATH },
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const watcher = watch(folder, () => child.kill('SIGKILL'))
  await ended
  watcher.close()
  assert.ok([5, 9].includes(JSON.parse((await inside(directory)('cap ada --json')).output).dailyCap))
  assert.equal((await inside(directory)('restore copy.db --force')).code, 0)
  assert.ok(readdirSync(folder).every((name) => !name.includes('restoring')))
  assert.equal(JSON.parse((await inside(directory)('cap ada --json')).output).dailyCap, 5)
})

test('nothing is restored under a running server, and it does not notice', async () => {
  const directory = freshDirectory()
  const run = purser(directory)
  await inside(directory)('cap ada 5 --reason before')
  await inside(directory)('backup copy.db')
  const server = await startPurser({ store: 'sqlite:data/purser.db' }, directory)
  try {
    const refused = await run('restore copy.db --force')
    assert.equal(refused.code, 5, refused.talk)
    assert.match(refused.talk, /in use/)
    const { status } = await server.api('PUT', '/api/users/ada/cap', { cap: 6, reason: 'still here' })
    assert.equal(status, 200)
    assert.ok(
      readdirSync(join(directory, 'data')).every((name) => !name.includes('restor') && !name.includes('before')),
    )
  } finally {
    await server.stop()
  }
  assert.equal(JSON.parse((await inside(directory)('cap ada --json')).output).dailyCap, 6)
})

test('a backup that is torn, strange, of another key or of a newer Purser moves nothing', async () => {
  const directory = freshDirectory()
  const run = purser(directory)
  await inside(directory)('cap ada 5 --reason before')
  await inside(directory)('backup copy.db')
  const path = (name: string) => join(directory, name)
  copyFileSync(path('copy.db'), path('torn.db'))
  truncateSync(path('torn.db'), statSync(path('torn.db')).size - 4_096)
  writeFileSync(path('text.db'), 'no database')
  writeFileSync(path('empty.db'), '')
  const newer = readFileSync(path('copy.db'))
  newer.writeUInt32BE(99, 60)
  writeFileSync(path('newer.db'), newer)
  await run('cap bob 1 --reason other --store sqlite:other/purser.db')
  await run('backup other.db --store sqlite:other/purser.db')
  const before = contents(directory)
  for (const [words, code] of [
    ['restore torn.db --force', 1],
    ['restore text.db --force', 1],
    ['restore empty.db --force', 2],
    ['restore newer.db --force', 7],
    ['restore other.db --force', 4],
    ['restore none.db --force', 3],
    ['restore copy.db --store memory: --force', 2],
  ] as const) {
    const refused = await inside(directory)(words)
    assert.equal(refused.code, code, `${words}: ${refused.talk}`)
    assert.deepEqual(contents(directory), before, words)
  }
  assert.equal(JSON.parse((await inside(directory)('cap ada --json')).output).dailyCap, 5)
})

test('a damaged store gives way with all its files, and a machine without any takes the backup and its key', async () => {
  const directory = freshDirectory()
  const run = purser(directory)
  await inside(directory)('cap ada 5 --reason before')
  await inside(directory)('backup copy.db')
  writeFileSync(join(directory, 'data', 'purser.db'), 'not any more')
  writeFileSync(join(directory, 'data', 'purser.db-wal'), 'its log')
  const restored = await run('restore copy.db --force --json')
  assert.equal(restored.code, 0, restored.talk)
  const { aside } = JSON.parse(restored.output)
  assert.deepEqual([readFileSync(aside, 'utf8'), readFileSync(`${aside}-wal`, 'utf8')], ['not any more', 'its log'])
  assert.equal(JSON.parse((await inside(directory)('cap ada --json')).output).dailyCap, 5)

  const store = '--store sqlite:new/purser.db'
  const without = await run(`restore copy.db ${store}`)
  assert.equal(without.code, 4)
  assert.match(without.talk, /purser\.db\.key/)
  assert.ok(!existsSync(join(directory, 'new', 'purser.db')))
  copyFileSync(join(directory, 'data', 'purser.db.key'), join(directory, 'new', 'purser.db.key'))
  assert.equal((await run(`restore copy.db ${store}`)).code, 0)
  assert.equal(JSON.parse((await run(`cap ada --json ${store}`)).output).dailyCap, 5)
  assert.equal(statSync(join(directory, 'new', 'purser.db')).mode & 0o777, 0o600)
})

test('on a terminal there is a bar, and nowhere else', () => {
  const drawn = (isTTY: boolean): string => {
    let text = ''
    const talk = new Writable({
      write(part, _encoding, done) {
        text += String(part)
        done()
      },
    })
    const progress = createProgress({ talk: Object.assign(talk, { isTTY }) } as unknown as Terminal, 'Copying')
    for (const part of [0, 0.5, 0.504, 1]) progress.at(part)
    progress.end()
    return text
  }
  assert.equal(drawn(false), '')
  assert.match(drawn(true), /^\rCopying \[\.{24}\] 0 %\rCopying \[#{12}\.{12}\] 50 %\rCopying \[#{24}\] 100 %\n$/)
})
