import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { rounds } from '../support/fuzz-options.ts'
import { DRIVERS, openLedgerHarness } from '../support/ledger-harness.ts'
import { startChild } from '../support/start-child.ts'

const PROGRAM = new URL('concurrent-admitter.ts', import.meta.url)
const CALLS = 1_000
const CAP = 100
const PROCESSES = 4

describe('concurrent admissions never exceed the cap (BL-D09)', () => {
  for (const driver of DRIVERS) {
    const runs = rounds(1_000, driver === 'memory' ? 50 : 20)
    it(`${CALLS} parallel admissions with a cap of ${CAP} allow exactly ${CAP}, ${runs} times on ${driver}`, async () => {
      await using harness = await openLedgerHarness({ driver, dailyCap: CAP })
      for (let run = 0; run < runs; run++) {
        const user = harness.user(`user-${run}`)
        const admissions = await Promise.all(Array.from({ length: CALLS }, () => user.admit()))
        const allowed = admissions.filter((one) => one.allowed)
        assert.equal(allowed.length, CAP)
        assert.equal(new Set(allowed.map((one) => one.allowed && one.ticket)).size, CAP)
        assert.deepEqual(
          allowed.map(({ count }) => count),
          Array.from({ length: CAP }, (_, index) => index + 1),
        )
        assert.equal((await user.quota()).count, CAP)
      }
    })
  }

  const runs = rounds(1_000, 10)
  it(`${PROCESSES} processes on one SQLite file together allow exactly ${CAP} of ${CALLS}, ${runs} times`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'purser-overshoot-'))
    const path = join(directory, 'overshoot.db')
    await using harness = await openLedgerHarness({ driver: 'sqlite', path, dailyCap: CAP, effects: systemEffects })
    const admitters = Array.from({ length: PROCESSES }, () =>
      startChild(PROGRAM, [path, String(CALLS / PROCESSES), String(CAP)]),
    )
    try {
      await Promise.all(admitters.map((admitter) => admitter.line()))
      for (let run = 0; run < runs; run++) {
        const user = `user-${run}`
        const lines = await Promise.all(
          admitters.map((admitter) => {
            admitter.send(user)
            return admitter.line()
          }),
        )
        const results = lines.map((line) => JSON.parse(line) as { allowed: number; failed: number })
        assert.deepEqual(
          results.map(({ failed }) => failed),
          [0, 0, 0, 0],
        )
        assert.equal(
          results.reduce((sum, { allowed }) => sum + allowed, 0),
          CAP,
        )
        assert.equal((await harness.user(user).bond()).dailyCount, CAP)
        await Promise.all(admitters.map((admitter) => admitter.line()))
      }
    } finally {
      for (const admitter of admitters) admitter.send('end')
      await Promise.all(admitters.map((admitter) => admitter.exited))
      await harness.store.close()
      await rm(directory, { recursive: true, force: true })
    }
  })
})
