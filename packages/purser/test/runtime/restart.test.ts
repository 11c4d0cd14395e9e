import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { rounds } from '../support/fuzz-options.ts'
import { openHouse } from '../support/runtime-harness.ts'

const CHILD = join(import.meta.dirname, 'restart-child.ts')

async function runUntilKilled(path: string, secret: string, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=@purser/source', CHILD, path, secret], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
    if (printed.split('\n').length > acknowledgements) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const versions = printed.split('\n').slice(0, -1).map(Number)
  return versions.at(-1) ?? 0
}

test('R12: kill -9 in the middle of writes loses no acknowledged change and leaves no torn one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'purser-restart-'))
  const path = join(folder, 'purser.db')
  const secret = randomBytes(32).toString('base64')
  let acknowledged = 0
  try {
    for (let round = 0; round < rounds(20, 2); round++) {
      acknowledged = await runUntilKilled(path, secret, 20 + round)
      const store = await openSqliteStore({ path, effects: systemEffects })
      const house = await openHouse({ store, effects: systemEffects, secretKey: { current: secret, previous: [] } })
      const user = house.user('ada')
      const settings = await user.settings()
      assert.ok(settings.version >= acknowledged, `${acknowledged} was acknowledged, ${settings.version} is left`)
      assert.equal(settings.region, `of ${settings.version}`)
      assert.equal(settings.model, settings.version % 2 === 1 ? 'x' : 'y')
      const sessions = await user.sessions()
      for (const { id, version } of sessions) {
        assert.equal((await user.settings({ session: id })).region, `of ${version}`)
      }
      const lease = await user.acquire()
      const key = house.models[0]?.order.credentials?.apiKey
      assert.ok(key === `canary of ${settings.version}` || key === `canary of ${settings.version - 1}`, String(key))
      lease.release()
      await house.runtimes.close()
      await house.journal.close()
      await store.close()
    }
    for (const file of globSync(`${folder}/*`))
      assert.ok(!readFileSync(file).includes('canary'), `${file} shows a secret`)
    t.diagnostic(`${acknowledged} changes acknowledged`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
