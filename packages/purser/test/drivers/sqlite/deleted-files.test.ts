import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { openPurser, type Purser } from '../../../src/index.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

/*
 * Files of the store that are deleted, moved or replaced while it is open. A write that was acknowledged must be there
 * after a restart; otherwise the caller must have got `store_unavailable`.
 */

const FAULTS: Readonly<Record<string, (path: string) => void>> = {
  'the database is deleted': (path) => rmSync(path),
  'the log is deleted': (path) => rmSync(`${path}-wal`),
  'the index of the log is deleted': (path) => rmSync(`${path}-shm`),
  'all files are deleted': (path) => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  },
  'the directory is deleted': (path) => rmSync(dirname(path), { recursive: true }),
  'the directory is moved': (path) => renameSync(dirname(path), `${dirname(path)}-moved`),
  'the database is moved': (path) => renameSync(path, `${path}.old`),
  'the database is replaced by an empty file': (path) => {
    rmSync(path)
    writeFileSync(path, '')
  },
  'the database is replaced by another one': (path) => {
    const other = `${path}.other`
    const database = new DatabaseSync(other)
    database.exec('CREATE TABLE t (x)')
    database.close()
    renameSync(other, path)
  },
}

function openIn(directory: string): Promise<Purser> {
  mkdirSync(directory, { recursive: true })
  return openPurser({ store: `sqlite:${join(directory, 'purser.db')}` })
}

async function addNotes(purser: Purser, count: number): Promise<PromiseSettledResult<unknown>[]> {
  const results: PromiseSettledResult<unknown>[] = []
  for (let note = 0; note < count; note++)
    results.push(...(await Promise.allSettled([purser.user('ada').ledger.addNote(`n${note}`, { actor: 'a' })])))
  return results
}

describe('while the store is open', () => {
  for (const [name, fault] of Object.entries(FAULTS))
    it(`nothing is acknowledged after ${name}`, async () => {
      const directory = join(dirname(temporaryPath()), 'store')
      const purser = await openIn(directory)
      assert.ok((await addNotes(purser, 3)).every(({ status }) => status === 'fulfilled'))
      fault(join(directory, 'purser.db'))
      for (const result of await addNotes(purser, 20)) {
        assert.equal(result.status, 'rejected')
        const { code, message, hint } = result.reason
        assert.equal(code, 'store_unavailable')
        assert.ok(!`${message} ${hint}`.includes(directory), 'the message must not name a path')
      }
      await purser.close({ timeoutMs: 2_000 })
    })

  it('other files of the directory may come and go', async () => {
    const directory = join(dirname(temporaryPath()), 'store')
    const purser = await openIn(directory)
    for (let round = 0; round < 20; round++) {
      writeFileSync(join(directory, `other-${round}`), 'x')
      if (round > 2) rmSync(join(directory, `other-${round - 1}`))
      assert.equal((await addNotes(purser, 2)).filter(({ status }) => status === 'rejected').length, 0)
    }
    await purser.user('bob').erase({ actor: 'a', reason: 'r' })
    assert.equal((await addNotes(purser, 2)).filter(({ status }) => status === 'rejected').length, 0)
    await purser.close()
  })

  it('writes go on when the same file is back', async () => {
    const directory = join(dirname(temporaryPath()), 'store')
    const purser = await openIn(directory)
    await addNotes(purser, 2)
    const path = join(directory, 'purser.db')
    renameSync(path, `${path}.old`)
    assert.equal((await addNotes(purser, 1))[0]?.status, 'rejected')
    renameSync(`${path}.old`, path)
    assert.equal((await addNotes(purser, 1))[0]?.status, 'fulfilled')
    await purser.close()
  })
})

describe('opening', () => {
  it('refuses a key file without its database, with a hint, and makes no file', async () => {
    const directory = join(dirname(temporaryPath()), 'store')
    await (await openIn(directory)).close()
    for (const file of readdirSync(directory)) if (!file.endsWith('.key')) rmSync(join(directory, file))
    await assert.rejects(openIn(directory), (error: { code: string; hint: string }) => {
      return error.code === 'store_unavailable' && /Restore the database/.test(error.hint)
    })
    assert.deepEqual(readdirSync(directory), ['purser.db.key'])
    rmSync(join(directory, 'purser.db.key'))
    await (await openIn(directory)).close()
    assert.ok(existsSync(join(directory, 'purser.db')))
  })

  it('with a configured key needs no key file', async () => {
    const directory = dirname(temporaryPath())
    writeFileSync(join(directory, 'new.db.key'), 'of another store')
    const secretKey = Buffer.alloc(32, 7).toString('base64')
    await (await openPurser({ store: `sqlite:${join(directory, 'new.db')}`, secretKey })).close()
  })
})

it('the log is small again after a long read has ended', async () => {
  const path = temporaryPath()
  const purser = await openPurser({ store: `sqlite:${path}` })
  const fill = async (count: number): Promise<void> => {
    for (let write = 0; write < count; write++)
      await purser.user(`u${write % 20}`).profile.put({ text: `${write + 10_000} `.repeat(9_000) })
  }
  await fill(20)
  const reader = new DatabaseSync(path, { readOnly: true })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM users').get()
  await fill(500)
  const pinned = statSync(`${path}-wal`).size
  assert.ok(pinned > 12_000_000, `${pinned} bytes`)
  reader.exec('COMMIT')
  reader.close()
  await fill(200)
  assert.ok(statSync(`${path}-wal`).size < 12_000_000, `${statSync(`${path}-wal`).size} bytes`)
  await purser.close()
})
