import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { rounds } from '../support/fuzz-options.ts'
import { type LedgerHarness, openLedgerHarness } from '../support/ledger-harness.ts'

/** Runs a writer, kills it after some lines, and returns the lines. */
async function runUntilKilled(path: string, user: string, maxLines: number): Promise<string[]> {
  const script = join(import.meta.dirname, 'crash-writer.ts')
  const child = spawn(process.execPath, ['--conditions=@purser/source', script, path, user], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (lines.length === maxLines) child.kill('SIGKILL')
  }
  return lines
}

function openHarness(path: string): Promise<LedgerHarness> {
  return openLedgerHarness({ driver: 'sqlite', path, keepEvents: 40, effects: systemEffects })
}

describe('a killed process (BL-D08)', () => {
  const cycles = rounds(1_000, 3)
  it(`${cycles} times leaves what it acknowledged, a valid log without gaps, and its folded state`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'purser-crash-'))
    const path = join(directory, 'crash.db')
    try {
      for (let cycle = 0; cycle < cycles; cycle++) {
        const lines = await runUntilKilled(path, `user-${cycle}`, 1 + ((cycle * 37) % 150))
        await using harness = await openHarness(path)
        const user = harness.user(`user-${cycle}`)
        const { ok, firstBad } = await user.verify()
        assert.equal(ok, true, JSON.stringify(firstBad))
        const bond = await user.bond()
        assert.ok(bond.dailyCount >= lines.filter((line) => line === 'admitted').length)
        const ids = new Map((await user.events({ limit: 1_000 })).map(({ sequence, id }) => [sequence, id]))
        for (const [sequence, id] of lines.filter((line) => /^\d/.test(line)).map((line) => line.split(' '))) {
          assert.ok(Number(sequence) <= bond.version)
          if (ids.has(Number(sequence))) assert.equal(ids.get(Number(sequence)), id)
        }
        assert.equal((await user.notes({ limit: 1_000 })).length, bond.notesCount)
      }
      await using harness = await openHarness(path)
      assert.equal((await harness.ledger.verify()).ok, true)
      const database = new DatabaseSync(path)
      assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
      database.close()
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
