import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DemoClock } from '../../../src/cli/demo/demo-clock.ts'

const DAY_MS = 86_400_000

test('the clock begins in the past, fires timers that it is moved over in their order, and arrives at the present', () => {
  const clock = new DemoClock(30 * DAY_MS)
  const start = clock.now()
  assert.ok(Math.abs(Date.now() - 30 * DAY_MS - start) < 60_000)
  const fired: [name: string, afterMs: number][] = []
  const note = (name: string) => (): void => {
    fired.push([name, Math.round((clock.now() - start) / 1_000)])
  }
  clock.setTimer(note('late'), 20_000)
  clock.setTimer(note('early'), 10_000)
  const cancel = clock.setTimer(note('cancelled'), 15_000)
  cancel()
  clock.moveTo(start + 60_000)
  assert.deepEqual(fired, [
    ['early', 10],
    ['late', 20],
  ])
  assert.equal(clock.fireNext(), false)
  clock.arrive()
  assert.ok(Math.abs(clock.now() - Date.now()) < 1_000)
})

test('both clocks move together, and never back', () => {
  const clock = new DemoClock(DAY_MS)
  const [wall, monotonic] = [clock.now(), clock.monotonic()]
  clock.moveTo(wall + 3_600_000)
  clock.moveTo(wall)
  const [wallMs, monotonicMs] = [clock.now() - wall, clock.monotonic() - monotonic]
  assert.ok(wallMs >= 3_600_000)
  assert.ok(Math.abs(wallMs - monotonicMs) < 1_000)
  clock.moveTo(Date.now() + 10 * DAY_MS)
  assert.ok(clock.now() <= Date.now() + 1_000)
})

test('timers of the background, and all after the arrival, follow the real time', async () => {
  const clock = new DemoClock(DAY_MS)
  await new Promise<void>((resolve) => {
    clock.setTimer(resolve, 1, { background: true })
    // Keeps the process alive meanwhile.
    setTimeout(() => undefined, 50)
  })
  clock.arrive()
  await new Promise<void>((resolve) => clock.setTimer(resolve, 1))
})
