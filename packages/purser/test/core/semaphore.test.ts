import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSemaphore } from '../../src/core/semaphore.ts'
import { PurserError } from '../../src/errors.ts'

const BUSY = { message: 'All slots are in use.', hint: 'Try again.' }
const { signal } = new AbortController()
const isBusy = (error: unknown): boolean => PurserError.is(error, 'runtime_busy') && error.message === BUSY.message
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a released slot passes to the caller that has waited longest', async () => {
  const semaphore = createSemaphore(2, BUSY)
  await semaphore.acquire(signal)
  await semaphore.acquire(signal)
  const acquired: string[] = []
  const waiting = ['first', 'second'].map((name) => semaphore.acquire(signal).then(() => void acquired.push(name)))
  await settle()
  assert.deepEqual(acquired, [])
  semaphore.release()
  await settle()
  assert.deepEqual(acquired, ['first'])
  semaphore.release()
  await Promise.all(waiting)
})

test('a caller that aborts while it waits takes no slot, even if one is released in the same tick', async () => {
  const semaphore = createSemaphore(1, BUSY)
  await semaphore.acquire(signal)
  const leaving = new AbortController()
  const aborted = semaphore.acquire(leaving.signal)
  const next = semaphore.acquire(signal)
  semaphore.release()
  leaving.abort(new Error('left'))
  await assert.rejects(aborted, { message: 'left' })
  await next
  await assert.rejects(semaphore.acquire(AbortSignal.abort(new Error('before'))), { message: 'before' })
})

test('a caller is rejected with runtime_busy if no slot will be free soon, and without any slots', async () => {
  const semaphore = createSemaphore(1, BUSY)
  await semaphore.acquire(signal, () => assert.fail('a slot is free'))
  const waiting: number[] = []
  const noSlotSoon = (count: number): boolean => {
    waiting.push(count)
    return false
  }
  await assert.rejects(semaphore.acquire(signal, noSlotSoon), isBusy)
  const queued = semaphore.acquire(signal, () => true)
  await assert.rejects(semaphore.acquire(signal, noSlotSoon), isBusy)
  assert.deepEqual(waiting, [0, 1])
  semaphore.release()
  await queued
  await assert.rejects(createSemaphore(0, BUSY).acquire(signal), isBusy)
})
