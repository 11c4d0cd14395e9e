import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { before, describe, it } from 'node:test'
import { openPurser } from 'purser'
import { run } from '../../src/cli/run.ts'
import { createTempDirectory, runPurser } from '../support/processes.ts'

const directory = createTempDirectory()
const store = `sqlite:${join(directory, 'data', 'purser.db')}`

const purser = (line: string) => runPurser(line.split(' '), directory)
const json = async (line: string) => JSON.parse((await purser(`${line} --json`)).stdout)

before(async () => {
  await using opened = await openPurser({ store, ledger: { phases: ['new', 'known'], riskLevels: ['low', 'high'] } })
  for (const id of ['ada', 'bela', 'cleo']) {
    const user = opened.user(id)
    await user.profile.put({ name: id.toUpperCase() })
    await user.ledger.observe({ phase: 'known' })
    await user.runtime.startSession('work', { policy: 'follow' })
  }
})

describe('commands about one user', () => {
  it('print the profile, the context and the sessions', async () => {
    assert.equal((await purser('profile ada')).stdout, 'name: ADA\n')
    assert.deepEqual(await json('profile ada'), { name: 'ADA' })
    const context = await purser('context ada --mode plain')
    assert.match(context.stdout, /^name: ADA$/m)
    assert.match(context.stderr, /^profile: fresh, \d+ tokens$/m)
    assert.match((await json('context ada')).text, /ADA/)
    assert.match((await purser('sessions ada')).stdout, /^work +follow +\d{4}-/m)
    assert.equal((await json('sessions ada')).data[0].id, 'work')
    for (const command of ['profile', 'context', 'sessions', 'evict'])
      assert.equal((await purser(`${command} unknown`)).code, 3, command)
    assert.equal((await purser('context ada --mode loud')).code, 2)
  })

  it('evict and correct, with the person and the reason in the log', async () => {
    assert.deepEqual(await json('evict ada --reason stuck --actor grace'), { evicted: 'ada' })
    assert.equal((await purser('correct ada --risk-level high')).code, 2)
    assert.equal((await purser('correct ada --reason seen')).code, 2)
    const bond = await json('correct ada --risk-level high --reason seen --actor grace')
    assert.deepEqual([bond.riskLevel, bond.phase], ['high', 'known'])
    const { data } = await json('events ada --types admin_action')
    assert.deepEqual(
      data.slice(0, 2).map(({ actor, reason }: { actor: string; reason: string }) => [actor, reason]),
      [
        ['grace', 'seen'],
        ['grace', 'stuck'],
      ],
    )
  })
})

describe('purser export', () => {
  it('writes one user, or all of them, and an import reads the file', async () => {
    for (const line of ['export', 'export ada --all']) assert.equal((await purser(line)).code, 2, line)
    const one = await purser('export ada')
    assert.equal(JSON.parse(one.stdout.split('\n')[0] ?? '').value.user, 'ada')
    const file = join(directory, 'all.ndjson')
    const all = await purser(`export --all --output ${file}`)
    assert.equal(all.code, 0, all.stderr)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const rows = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(all.stderr, `Wrote ${rows.length} lines to ${file}.\n`)
    assert.deepEqual(
      rows.filter(({ part }) => part === 'header').map(({ value }) => value.user),
      ['ada', 'bela', 'cleo'],
    )
    const target = createTempDirectory()
    const imported = await runPurser(['import', file, '--json'], target)
    assert.equal(JSON.parse(imported.stdout).users.length, 3)
    // A file is never overwritten.
    assert.equal((await purser(`export --all --output ${file}`)).code, 1)
  })

  it('reads more users than a page has', async () => {
    const many = createTempDirectory()
    const users = 230
    {
      await using opened = await openPurser({ store: `sqlite:${join(many, 'data', 'purser.db')}` })
      await Promise.all(Array.from({ length: users }, (_, index) => opened.user(`user-${index}`).ledger.admit()))
    }
    const { stdout } = await runPurser(['export', '--all'], many)
    assert.equal(stdout.match(/"part":"end"/g)?.length, users)
  })
})

describe('what commands print', () => {
  it('with --json is one line, and of a list { data, cursor }', async () => {
    for (const line of [
      'users',
      'events ada',
      'turns ada',
      'limits ada',
      'limits',
      'usage ada',
      'usage',
      'sessions ada',
      'keys list',
      'doctor',
    ]) {
      const { stdout } = await purser(`${line} --json`)
      assert.equal(stdout.indexOf('\n'), stdout.length - 1, line)
      const list = JSON.parse(stdout)
      assert.deepEqual([Array.isArray(list.data), 'cursor' in list], [true, true], `${line}: ${stdout}`)
    }
  })

  it('draws progress on a terminal, on stderr and nowhere else', async () => {
    let stderr = ''
    const text = (write: (part: string) => void, isTTY: boolean) =>
      Object.assign(
        new Writable({
          write(part, _encoding, done) {
            write(String(part))
            done()
          },
        }),
        { isTTY },
      )
    let stdout = ''
    const code = await run(['export', '--all'], {
      stdin: Readable.from([]),
      stdout: text((part) => (stdout += part), false),
      stderr: text((part) => (stderr += part), true),
      environment: { PURSER_STORE: store },
      directory,
      signal: new AbortController().signal,
    })
    assert.equal(code, 0)
    assert.match(stderr, /\rExporting \[#+\.*\] 33 %\rExporting .* 66 %\rExporting \[#{24}\] 100 %\n$/)
    assert.doesNotMatch(stdout, /Exporting/)
  })
})
