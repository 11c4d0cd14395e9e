import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { openDatabase } from '../../../src/drivers/sqlite/database.ts'
import { migrate } from '../../../src/drivers/sqlite/migrate.ts'
import { createReader, createWriter } from '../../../src/drivers/sqlite/worker/threads.ts'
import { PurserError } from '../../../src/errors.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

/** The module of `createWriter`, for child processes. */
const THREADS = new URL('../../../src/drivers/sqlite/worker/threads.ts', import.meta.url).href

async function createDatabase(path: string): Promise<void> {
  const database = await openDatabase({ path, profile: 'durable' })
  migrate(database.connection)
  await database.close()
}

test('a thread that fails to start rejects its calls, and the next call starts another', async () => {
  const path = temporaryPath()
  const reader = createReader(path)
  await assert.rejects(reader.call('overview', 'n'), (error) => PurserError.is(error, 'store_unavailable'))
  await createDatabase(path)
  assert.equal((await reader.call('overview', 'n')).users, 0)
  await reader.close()
})

test('errors of the thread reject like local errors', async () => {
  const path = temporaryPath()
  await createDatabase(path)
  const writer = createWriter(path)
  await assert.rejects(writer.call('compareAndSetMeta', 'a', undefined, null as unknown as string), /NOT NULL/)
  assert.equal(await writer.call('compareAndSetMeta', 'a', undefined, 'b'), true)
  await writer.call('close')
  await assert.rejects(writer.call('compareAndSetMeta', 'a', 'b', 'c'), (error) => PurserError.is(error, 'closed'))
  await writer.close()
})

test('in a batch, only the call that cannot be cloned fails', async () => {
  const path = temporaryPath()
  await createDatabase(path)
  const writer = createWriter(path)
  const values = ['a', Symbol('no text') as unknown as string, 'b']
  const outcomes = await Promise.allSettled(
    values.map((value) => writer.call('compareAndSetMeta', value, undefined, 'x')),
  )
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  await writer.close()
})

test('every call of many bursts is answered, in call order', async () => {
  const path = temporaryPath()
  await createDatabase(path)
  const writer = createWriter(path)
  const answered: number[] = []
  const calls: Promise<unknown>[] = []
  for (let call = 0; call < 1_000; ) {
    for (let burst = 1 + ((call * 7_919) % 97); burst > 0; burst--, call++) {
      const number = call
      calls.push(writer.call('compareAndSetMeta', `${number}`, undefined, 'x').then(() => answered.push(number)))
    }
    if (call % 3 === 0) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  await Promise.all(calls)
  assert.deepEqual(
    answered,
    calls.map((_, number) => number),
  )
  await writer.call('close')
  await writer.close()
})

test('a program from --input-type can start the writer thread', async () => {
  const path = temporaryPath()
  await createDatabase(path)
  const program = `
    const { createWriter } = await import(${JSON.stringify(THREADS)})
    const writer = createWriter(${JSON.stringify(path)})
    console.log(await writer.call('compareAndSetMeta', 'a', undefined, 'b'))
    await writer.close()`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.equal((await text(child.stdout)).trim(), 'true')
})

test('calls reject with store_unavailable when threads are not permitted', async () => {
  const program = `
    const { createWriter } = await import(${JSON.stringify(THREADS)})
    const writer = createWriter('missing')
    const calls = Array.from({ length: 40 }, () => writer.call('hasForeignCommits').catch(({ code }) => code))
    console.log(new Set(await Promise.all(calls)).size, await calls[39])
    await writer.close()`
  const flags = ['--permission', '--allow-fs-read=*', '--input-type=module', '--eval', program]
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  assert.equal((await text(child.stdout)).trim(), '1 store_unavailable')
})

test('a writer does not create a missing database', async () => {
  const path = temporaryPath()
  const writer = createWriter(path)
  await assert.rejects(writer.call('hasForeignCommits'), (error) => PurserError.is(error, 'store_unavailable'))
  assert.equal(existsSync(path), false)
  await writer.close()
})

test('a closed reader rejects pending and later calls', async () => {
  const path = temporaryPath()
  await createDatabase(path)
  const reader = createReader(path)
  const pending = reader.call('overview', 'n')
  const rejected = assert.rejects(pending, (error) => PurserError.is(error, 'store_unavailable'))
  await reader.close()
  await rejected
  await assert.rejects(reader.call('overview', 'n'), (error) => PurserError.is(error, 'closed'))
  renameSync(path, `${path}.moved`)
})
