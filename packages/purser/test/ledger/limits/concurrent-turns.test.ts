import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { systemEffects } from '../../../src/core/effects.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { openLedgerHarness } from '../../support/ledger-harness.ts'
import { startChild } from '../../support/start-child.ts'
import { LIMITED } from './limited-turns.ts'

const PROGRAM = new URL('concurrent-turns.ts', import.meta.url)
const PROCESSES = 3
const TURNS = rounds(3_000, 999)
const RUNS = rounds(200, 5)

type Total = 'allowed' | 'tokens' | 'excess' | 'cost' | 'costExcess'

it(`${PROCESSES} processes with ${TURNS} parallel turns: use passes no limit by more than the turns used beyond their holds, ${RUNS} times`, async () => {
  printSeed('concurrent turns')
  const directory = await mkdtemp(join(tmpdir(), 'purser-limits-'))
  const path = join(directory, 'limits.db')
  await using harness = await openLedgerHarness({ ...LIMITED, driver: 'sqlite', path, effects: systemEffects })
  const runners = Array.from({ length: PROCESSES }, (_, index) =>
    startChild(PROGRAM, [path, String(TURNS / PROCESSES), String((seed ?? 1) + index)]),
  )
  try {
    await Promise.all(runners.map((runner) => runner.line()))
    for (let run = 0; run < RUNS; run++) {
      const user = `user-${run}`
      const lines = await Promise.all(
        runners.map((runner) => {
          runner.send(user)
          return runner.line()
        }),
      )
      const totals = lines.map((line) => JSON.parse(line) as Record<Total, number>)
      const sum = (field: Total): number => totals.reduce((total, one) => total + one[field], 0)
      const [daily, tokens, cost] = await harness.user(user).limits()
      assert.deepEqual([daily?.used, tokens?.used], [sum('allowed'), sum('tokens')])
      assert.equal(Number(cost?.used).toFixed(6), (sum('cost') / 1_000_000).toFixed(6))
      assert.ok(sum('allowed') > 0 && sum('allowed') <= LIMITED.dailyCap, `${sum('allowed')} turns`)
      assert.ok(sum('tokens') <= 20_000 + sum('excess'), JSON.stringify(totals))
      assert.ok(sum('cost') <= 40_000 + sum('costExcess'), JSON.stringify(totals))
      assert.deepEqual([tokens?.held, cost?.held], [0, '0'])
      await Promise.all(runners.map((runner) => runner.line()))
    }
  } finally {
    for (const runner of runners) runner.send('end')
    await Promise.all(runners.map((runner) => runner.exited))
    await harness.store.close()
    await rm(directory, { recursive: true, force: true })
  }
})
