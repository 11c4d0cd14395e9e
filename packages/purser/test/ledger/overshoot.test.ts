import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { rounds } from '../support/fuzz-options.ts'
import { DRIVERS, openLedgerHarness } from '../support/ledger-harness.ts'

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
    const admitters = Array.from({ length: PROCESSES }, () => startAdmitter(path))
    try {
      await Promise.all(admitters.map((admitter) => admitter.nextLine()))
      for (let run = 0; run < runs; run++) {
        const user = `user-${run}`
        const lines = await Promise.all(admitters.map((admitter) => admitter.admit(user)))
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
        await Promise.all(admitters.map((admitter) => admitter.nextLine()))
      }
    } finally {
      await Promise.all(admitters.map((admitter) => admitter.end()))
      await harness.store.close()
      await rm(directory, { recursive: true, force: true })
    }
  })
})

interface Admitter {
  nextLine(): Promise<string>
  /** Makes the process admit a user; its output line. */
  admit(user: string): Promise<string>
  end(): Promise<void>
}

function startAdmitter(path: string): Admitter {
  const script = join(import.meta.dirname, 'concurrent-admitter.ts')
  const child = spawn(
    process.execPath,
    ['--conditions=@purser/source', script, path, String(CALLS / PROCESSES), String(CAP)],
    { stdio: 'pipe' },
  )
  child.stderr.pipe(process.stderr)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error('The process has ended.')
    return value
  }
  return {
    nextLine,
    admit(user) {
      child.stdin.write(`${user}\n`)
      return nextLine()
    },
    async end() {
      child.stdin.write('end\n')
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
    },
  }
}
