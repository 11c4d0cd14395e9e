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
import type { AnswerStore } from '../../src/storage/answer-store.ts'
import { alice, answersOn, bob, type OpenStore, openAnswersHarness, openSqlite } from '../support/answers-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { answerTo, openSystemAnswers } from './crash-writer.ts'

printSeed('answers after a crash')

const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url))

function createFolder(): { readonly path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'purser-crash-'))
  return { path: cachePath(join(directory, 'purser.db')), remove: () => rmSync(directory, { recursive: true }) }
}

/** Pseudo-random numbers below `limit`, the same for one seed. */
function createDice(diceSeed: number): (limit: number) => number {
  let state = (diceSeed % 2_147_483_646) + 1
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647
    return state % limit
  }
}

/** Starts a process that stores answers, and kills it at some moment. Resolves to the last one it reported as stored. */
async function writeUntilKilled(path: string, from: number, roll: (limit: number) => number): Promise<number> {
  const writer: ChildProcess = spawn(process.execPath, ['--conditions=@purser/source', WRITER, path, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(writer, 'exit')
  let stored = from - 1
  const killAfter = from + 1 + roll(60)
  for await (const line of createInterface({ input: writer.stdout as NodeJS.ReadableStream })) {
    stored = Number(line)
    if (stored >= killAfter && !writer.killed) setTimeout(() => writer.kill('SIGKILL'), roll(3))
  }
  await exited
  return stored
}

test('after the process is killed at any moment, every answer that was flushed is found, and no torn or foreign one (CM-19)', async () => {
  const { path, remove } = createFolder()
  const roll = createDice(seed)
  let next = 0
  try {
    for (let round = 0; round < rounds(1_000, 10); round++) {
      const last = await writeUntilKilled(path, next, roll)
      const { answers, close } = await openSystemAnswers(path)
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

async function openDamaged(path: string): Promise<OpenStore> {
  const database = await openCache(path)
  return { store: answersOn(database), close: database.close }
}

test('a cache file with any bytes torn is opened, and no wrong answer is served (CM-D03)', async () => {
  const { path, remove } = createFolder()
  const roll = createDice(seed + 1)
  try {
    const original = await openSqlite(path)
    const { answers } = await openAnswersHarness({ store: original.store })
    for (let n = 0; n < 40; n++) await answers.of(alice).remember({ n }, () => answerTo(n))
    await answers.flush()
    await original.close()
    const whole = readFileSync(path)
    for (let round = 0; round < rounds(2_000, 60); round++) {
      const torn = Buffer.from(whole)
      for (let hole = 0; hole <= roll(4); hole++) {
        const at = roll(torn.length)
        torn.fill(roll(256), at, Math.min(torn.length, at + 1 + roll(1_500)))
      }
      writeFileSync(path, roll(5) === 0 ? torn.subarray(0, roll(torn.length)) : torn)
      for (const ending of ['-wal', '-shm']) rmSync(`${path}${ending}`, { force: true })
      const opened = await openDamaged(path)
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

test('a cache file with a damaged header or schema is created anew (CM-D03)', async () => {
  const { path, remove } = createFolder()
  try {
    await openSqlite(path).then(({ close }) => close())
    const whole = readFileSync(path)
    const damages: readonly ((file: Buffer) => void)[] = [
      (file) => file.fill(0x30, whole.indexOf('expires_last') + 7, whole.indexOf('expires_last') + 9),
      (file) => file.fill(0x7a, 44, 48),
      (file) => file.fill(0, 0, 16),
    ]
    for (const damage of damages) {
      const torn = Buffer.from(whole)
      damage(torn)
      writeFileSync(path, torn)
      const { store, close } = await openDamaged(path)
      const { answers } = await openAnswersHarness({ store })
      await answers.of(alice).remember('q', () => 'a')
      assert.equal((await answers.of(alice).lookup('q'))?.answer, 'a')
      await close()
    }
  } finally {
    remove()
  }
})

test('a cache file that turns out to be damaged in use is created anew at the next start (CM-D03)', async () => {
  const { path, remove } = createFolder()
  try {
    const original = await openSqlite(path)
    const { answers } = await openAnswersHarness({ store: original.store })
    for (let n = 0; n < 40; n++) await answers.of(alice).remember({ n }, () => answerTo(n))
    await answers.flush()
    await original.close()
    const file = new DatabaseSync(path)
    const { rootpage } = file.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'answers_2_by_key'").get() ?? {}
    const { page_size: bytes } = file.prepare('PRAGMA page_size').get() ?? {}
    file.close()
    const torn = readFileSync(path)
    torn.fill(0xff, (Number(rootpage) - 1) * Number(bytes), Number(rootpage) * Number(bytes))
    writeFileSync(path, torn)
    for (const isReplaced of [false, true]) {
      const opened = await openDamaged(path)
      const { answers } = await openAnswersHarness({ store: opened.store })
      await answers.of(alice).remember('q', () => 'a')
      await answers.flush()
      const { answers: fresh } = await openAnswersHarness({ store: opened.store })
      assert.equal((await fresh.of(alice).lookup('q')) !== undefined, isReplaced)
      await opened.close()
    }
  } finally {
    remove()
  }
})

test('a row whose value was replaced is a miss and is removed', async () => {
  const { path, remove } = createFolder()
  const { store, close } = await openSqlite(path)
  try {
    const torn: AnswerStore = {
      ...store,
      async get(scope, key) {
        const row = await store.get(scope, key)
        return row && { ...row, value: row.value.replace('mine', 'evil') }
      },
    }
    const { answers } = await openAnswersHarness({ store })
    await answers.of(alice).remember('q', () => 'mine')
    await answers.flush()
    const { answers: fresh } = await openAnswersHarness({ store: torn })
    assert.equal(await fresh.of(alice).lookup('q'), undefined)
    assert.equal(fresh.stats().entries, 0)
  } finally {
    await close()
    remove()
  }
})

test('with a full disk answers are in memory only, and every caller gets one', async () => {
  const { path, remove } = createFolder()
  const database = await openCache(path)
  try {
    const { answers } = await openAnswersHarness({ store: answersOn(database) })
    await answers.of(alice).remember('before', () => 'cached')
    await answers.flush()
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number }
    database.connection.exec(`PRAGMA max_page_count = ${pages + 8}`)
    for (let n = 0; n < 20; n++) {
      const answer = `${n} `.repeat(2_000)
      assert.deepEqual(await answers.of(alice).remember({ n }, () => answer), { answer, source: 'computed' })
    }
    await answers.flush()
    assert.ok(answers.stats().failures > 0)
    assert.equal((await answers.of(alice).lookup({ n: 0 }))?.answer, '0 '.repeat(2_000))
    assert.equal((await answers.of(alice).lookup('before'))?.answer, 'cached')
    database.connection.exec('PRAGMA max_page_count = 100000')
    await answers.of(alice).remember('after', () => 'space again')
    await answers.flush()
    const { answers: fresh } = await openAnswersHarness({ store: answersOn(database) })
    assert.equal((await fresh.of(alice).lookup('after'))?.answer, 'space again')
  } finally {
    await database.close()
    remove()
  }
})

test('a read-only cache serves its answers, stores none, and no lookup fails', async () => {
  const { path, remove } = createFolder()
  try {
    const original = await openSqlite(path)
    const { answers: first } = await openAnswersHarness({ store: original.store })
    await first.of(alice).remember('q', () => 'cached')
    await first.flush()
    await original.close()
    const copy = `${path}.copy`
    copyFileSync(path, copy)
    const database = await openCache(copy)
    const { answers } = await openAnswersHarness({ store: answersOn(database) })
    database.connection.exec('PRAGMA query_only = ON')
    assert.equal((await answers.of(alice).lookup('q'))?.answer, 'cached')
    assert.deepEqual(await answers.of(alice).remember('new', () => 1), { answer: 1, source: 'computed' })
    await answers.flush()
    assert.ok(answers.stats().failures > 0)
    await assert.rejects(answers.of(alice).forget())
    await database.close()
  } finally {
    remove()
  }
})

test('two processes share the answers of one file (CM-D04)', async () => {
  const { path, remove } = createFolder()
  try {
    const here = await openSystemAnswers(path)
    const writer = spawn(process.execPath, ['--conditions=@purser/source', WRITER, path, '0', '200'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(writer, 'exit')
    for (let n = 1_000; n < 1_200; n++) await here.answers.of(alice).remember({ n }, () => answerTo(n))
    assert.deepEqual(await exited, [0, null])
    for (let n = 0; n < 200; n++)
      assert.deepEqual((await here.answers.of(n % 2 === 0 ? alice : bob).lookup({ n }))?.answer, answerTo(n))
    await here.answers.flush()
    const { entries, failures } = here.answers.stats()
    assert.deepEqual({ entries, failures }, { entries: 400, failures: 0 })
    await here.close()
  } finally {
    remove()
  }
})
