import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { rounds } from '../support/fuzz-options.ts'
import { DRIVERS, openHouse } from '../support/ledger-harness.ts'

const CALLS = 1_000
const CAP = 100

describe('no overshoot (L1, BL-D09)', () => {
  for (const driver of DRIVERS) {
    const runs = rounds(1_000, driver === 'memory' ? 50 : 20)
    it(`${CALLS} parallel admissions on a cap of ${CAP} allow exactly ${CAP}, ${runs} times on ${driver}`, async () => {
      await using house = await openHouse({ driver, dailyCap: CAP })
      for (let run = 0; run < runs; run++) {
        const user = house.of(`user-${run}`)
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
  it(`four processes on one SQLite file allow exactly ${CAP} of ${CALLS} together, ${runs} times`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'purser-crowd-'))
    const path = join(directory, 'crowd.db')
    await using house = await openHouse({ driver: 'sqlite', path, dailyCap: CAP, effects: systemEffects })
    const crowd = Array.from({ length: 4 }, () => startOne(path))
    try {
      await Promise.all(crowd.map((one) => one.line()))
      for (let run = 0; run < runs; run++) {
        const user = `user-${run}`
        const told = await Promise.all(crowd.map((one) => one.ask(user)))
        const results = told.map((line) => JSON.parse(line) as { allowed: number; failed: number })
        assert.deepEqual(
          results.map(({ failed }) => failed),
          [0, 0, 0, 0],
        )
        assert.equal(
          results.reduce((sum, { allowed }) => sum + allowed, 0),
          CAP,
        )
        const bond = await house.of(user).bond()
        assert.equal(bond.dailyCount, CAP)
        await Promise.all(crowd.map((one) => one.line()))
      }
    } finally {
      await Promise.all(crowd.map((one) => one.end()))
      await house.store.close()
      await rm(directory, { recursive: true, force: true })
    }
  })
})

interface Companion {
  line(): Promise<string>
  ask(user: string): Promise<string>
  end(): Promise<void>
}

function startOne(path: string): Companion {
  const script = join(import.meta.dirname, 'concurrent-admitter.ts')
  const child: ChildProcessWithoutNullStreams = spawn(
    process.execPath,
    ['--conditions=@purser/source', script, path, String(CALLS / 4), String(CAP)],
    { stdio: 'pipe' },
  )
  child.stderr.pipe(process.stderr)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error('The process ended early.')
    return value
  }
  return {
    line,
    ask(user) {
      child.stdin.write(`${user}\n`)
      return line()
    },
    async end() {
      child.stdin.write('end\n')
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
    },
  }
}
