import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { cachePath, openCache } from '../../src/drivers/sqlite/cache/cache-file.ts'
import { alice, answersOn, bob, type OpenStore, openAnswersHarness, openSqlite } from '../support/answers-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { answerTo, systemHouse } from './crash-writer.ts'

printSeed('answers after a crash')

const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url))

function folder(): { readonly path: string; remove(): void } {
  const made = mkdtempSync(join(tmpdir(), 'purser-crash-'))
  return { path: cachePath(join(made, 'purser.db')), remove: () => rmSync(made, { recursive: true }) }
}

/** Repeatable numbers below `limit`. */
function dice(start: number): (limit: number) => number {
  let state = (start % 2_147_483_646) + 1
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647
    return state % limit
  }
}

/** Lets a process write answers and kills it at some moment. Returns the last request it said was kept. */
async function writeUntilKilled(path: string, from: number, roll: (limit: number) => number): Promise<number> {
  const writer: ChildProcess = spawn(process.execPath, ['--conditions=@purser/source', WRITER, path, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(writer, 'exit')
  let acknowledged = from - 1
  const killAfter = from + 1 + roll(60)
  for await (const line of createInterface({ input: writer.stdout as NodeJS.ReadableStream })) {
    acknowledged = Number(line)
    if (acknowledged === killAfter) setTimeout(() => writer.kill('SIGKILL'), roll(3))
  }
  await exited
  return acknowledged
}

test('C5 CM-19: killed at any moment, it opens, has every answer that was kept, and no torn or foreign one', async () => {
  const { path, remove } = folder()
  const roll = dice(seed)
  let next = 0
  try {
    for (let round = 0; round < rounds(1_000, 10); round++) {
      const last = await writeUntilKilled(path, next, roll)
      const { answers, close } = await systemHouse(path)
      for (let n = Math.max(0, last - 200); n <= last; n++) {
        const found = await answers.of(n % 2 === 0 ? alice : bob).lookup({ n })
        assert.deepEqual(found?.answer, answerTo(n), `answer ${n} of ${last}, round ${round}`)
        assert.equal(await answers.of(n % 2 === 0 ? bob : alice).lookup({ n }), undefined)
      }
      assert.equal(answers.stats().failures, 0)
      await close()
      next = last + 1
    }
  } finally {
    remove()
  }
})

async function openAnyway(path: string): Promise<OpenStore> {
  const database = await openCache(path)
  return { store: answersOn(database), close: database.close }
}

test('C5 CM-D03: whatever bytes of the file are torn, it opens and serves no wrong answer', async () => {
  const { path, remove } = folder()
  const roll = dice(seed + 1)
  try {
    const made = await openSqlite(path)
    const { answers } = await openAnswersHarness({ store: made.store })
    for (let n = 0; n < 40; n++) await answers.of(alice).remember({ n }, () => answerTo(n))
    await made.close()
    const whole = readFileSync(path)
    for (let round = 0; round < rounds(2_000, 60); round++) {
      const torn = Buffer.from(whole)
      for (let hole = 0; hole <= roll(4); hole++) {
        const at = roll(torn.length)
        torn.fill(roll(256), at, Math.min(torn.length, at + 1 + roll(1_500)))
      }
      writeFileSync(path, roll(5) === 0 ? torn.subarray(0, roll(torn.length)) : torn)
      for (const ending of ['-wal', '-shm']) rmSync(`${path}${ending}`, { force: true })
      const opened = await openAnyway(path)
      const { answers } = await openAnswersHarness({ store: opened.store })
      for (let n = 0; n < 40; n++) {
        const found = await answers.of(alice).lookup({ n })
        if (found !== undefined) assert.deepEqual(found.answer, answerTo(n))
      }
      const result = await answers.of(alice).remember('after', () => 'works')
      assert.equal(result.answer, 'works')
      await opened.close()
    }
  } finally {
    remove()
  }
})

test('CM-D03: a file whose description of itself is torn is made anew', async () => {
  const { path, remove } = folder()
  try {
    await openSqlite(path).then(({ close }) => close())
    const whole = readFileSync(path)
    const wounds: readonly ((file: Buffer) => void)[] = [
      (file) => file.fill(0x30, whole.indexOf('OLD.owner') + 7, whole.indexOf('OLD.owner') + 9),
      (file) => file.fill(0x7a, 44, 48),
      (file) => file.fill(0, 0, 16),
    ]
    for (const wound of wounds) {
      const torn = Buffer.from(whole)
      wound(torn)
      writeFileSync(path, torn)
      const { store, close } = await openAnyway(path)
      const { answers } = await openAnswersHarness({ store })
      await answers.of(alice).remember('q', () => 'a')
      assert.equal((await answers.of(alice).lookup('q'))?.answer, 'a')
      await close()
    }
  } finally {
    remove()
  }
})

test('CM-D03: a file that is found damaged in use is made anew at the next start', async () => {
  const { path, remove } = folder()
  try {
    const made = await openSqlite(path)
    const { answers } = await openAnswersHarness({ store: made.store })
    for (let n = 0; n < 40; n++) await answers.of(alice).remember({ n }, () => answerTo(n))
    await made.close()
    const file = new DatabaseSync(path)
    const { rootpage } = file.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'answers_1_by_key'").get() ?? {}
    const { page_size: bytes } = file.prepare('PRAGMA page_size').get() ?? {}
    file.close()
    const torn = readFileSync(path)
    torn.fill(0xff, (Number(rootpage) - 1) * Number(bytes), Number(rootpage) * Number(bytes))
    writeFileSync(path, torn)
    for (const healed of [false, true]) {
      const opened = await openAnyway(path)
      const { answers } = await openAnswersHarness({ store: opened.store })
      await answers.of(alice).remember('q', () => 'a')
      assert.equal((await answers.of(alice).lookup('q')) !== undefined, healed)
      await opened.close()
    }
  } finally {
    remove()
  }
})

test('C5: a row that was put in the place of another is a miss, and goes', async () => {
  const { path, remove } = folder()
  const { store, close } = await openSqlite(path)
  try {
    const scope = { namespace: 'default', owner: '' }
    const { answers } = await openAnswersHarness({
      store: {
        ...store,
        put: (given, row, room) => {
          Object.assign(scope, given)
          return store.put(given, { ...row, value: row.value.replace('mine', 'evil') }, room)
        },
      },
    })
    await answers.of(alice).remember('q', () => 'mine')
    const { answers: fresh } = await openAnswersHarness({ store })
    assert.equal(await fresh.of(alice).lookup('q'), undefined)
    assert.equal(fresh.stats().entries, 0)
  } finally {
    await close()
    remove()
  }
})

test('C5: a full disk costs answers their keeping, never a caller their answer', async () => {
  const { path, remove } = folder()
  const database = await openCache(path)
  try {
    const { answers } = await openAnswersHarness({ store: answersOn(database) })
    await answers.of(alice).remember('before', () => 'kept')
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number }
    database.connection.exec(`PRAGMA max_page_count = ${pages + 8}`)
    for (let n = 0; n < 20; n++) {
      const answer = `${n} `.repeat(2_000)
      assert.deepEqual(await answers.of(alice).remember({ n }, () => answer), { answer, source: 'computed' })
    }
    assert.ok(answers.stats().failures > 0)
    assert.equal((await answers.of(alice).lookup('before'))?.answer, 'kept')
    database.connection.exec('PRAGMA max_page_count = 100000')
    await answers.of(alice).remember('after', () => 'room again')
    const { answers: fresh } = await openAnswersHarness({ store: answersOn(database) })
    assert.equal((await fresh.of(alice).lookup('after'))?.answer, 'room again')
  } finally {
    await database.close()
    remove()
  }
})

test('C5: what can only be read is read; nothing is kept and nobody fails', async () => {
  const { path, remove } = folder()
  try {
    const made = await openSqlite(path)
    const { answers: first } = await openAnswersHarness({ store: made.store })
    await first.of(alice).remember('q', () => 'kept')
    await made.close()
    const copy = `${path}.copy`
    copyFileSync(path, copy)
    const database = await openCache(copy)
    const { answers } = await openAnswersHarness({ store: answersOn(database) })
    database.connection.exec('PRAGMA query_only = ON')
    assert.equal((await answers.of(alice).lookup('q'))?.answer, 'kept')
    assert.deepEqual(await answers.of(alice).remember('new', () => 1), { answer: 1, source: 'computed' })
    assert.ok(answers.stats().failures > 0)
    await assert.rejects(answers.of(alice).forget())
    await database.close()
  } finally {
    remove()
  }
})

test('CM-D04 C5: two processes on one file keep and find the same answers', async () => {
  const { path, remove } = folder()
  try {
    const here = await systemHouse(path)
    const writer = spawn(process.execPath, ['--conditions=@purser/source', WRITER, path, '0', '200'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(writer, 'exit')
    for (let n = 1_000; n < 1_200; n++) await here.answers.of(alice).remember({ n }, () => answerTo(n))
    assert.deepEqual(await exited, [0, null])
    for (let n = 0; n < 200; n++)
      assert.deepEqual((await here.answers.of(n % 2 === 0 ? alice : bob).lookup({ n }))?.answer, answerTo(n))
    const { entries, failures } = here.answers.stats()
    assert.deepEqual({ entries, failures }, { entries: 400, failures: 0 })
    await here.close()
  } finally {
    remove()
  }
})
