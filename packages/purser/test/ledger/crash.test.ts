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
import { openHouse } from '../support/ledger-harness.ts'

/** Kills the process some acknowledged lines after its beginning, and returns them. */
async function killedAfter(path: string, user: string, lines: number): Promise<string[]> {
  const script = join(import.meta.dirname, 'crash-writer.ts')
  const child = spawn(process.execPath, ['--conditions=@purser/source', script, path, user], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const told: string[] = []
  for await (const line of createInterface(child.stdout)) {
    told.push(line)
    if (told.length === lines) child.kill('SIGKILL')
  }
  return told
}

describe('a killed process (BL-D08, L5)', () => {
  const cycles = rounds(1_000, 3)
  it(`${cycles} times leaves what it acknowledged, a log without gaps that verifies, and a state that is its fold`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'purser-victim-'))
    const path = join(directory, 'victim.db')
    try {
      for (let cycle = 0; cycle < cycles; cycle++) {
        const told = await killedAfter(path, `user-${cycle}`, 1 + ((cycle * 37) % 150))
        await using house = await openHouse({ driver: 'sqlite', path, keepEvents: 40, effects: systemEffects })
        const user = house.of(`user-${cycle}`)
        const { ok, firstBad } = await user.verify()
        assert.equal(ok, true, JSON.stringify(firstBad))
        const bond = await user.bond()
        assert.ok(bond.dailyCount >= told.filter((line) => line === 'admitted').length)
        const kept = new Map((await user.events({ limit: 1_000 })).map(({ sequence, id }) => [sequence, id]))
        for (const [sequence, id] of told.filter((line) => /^\d/.test(line)).map((line) => line.split(' '))) {
          assert.ok(Number(sequence) <= bond.version)
          if (kept.has(Number(sequence))) assert.equal(kept.get(Number(sequence)), id)
        }
        assert.equal((await user.notes({ limit: 1_000 })).length, bond.notesCount)
      }
      await using house = await openHouse({ driver: 'sqlite', path, keepEvents: 40, effects: systemEffects })
      assert.equal((await house.ledger.verify()).ok, true)
      const database = new DatabaseSync(path)
      assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
      database.close()
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
