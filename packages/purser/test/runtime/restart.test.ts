import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { rounds } from '../support/fuzz-options.ts'
import { openRuntimeHarness } from '../support/runtime-harness.ts'

const CHILD = join(import.meta.dirname, 'restart-child.ts')

/** Kills the child after this many acknowledged versions; resolves to the last one. */
async function runUntilKilled(path: string, secret: string, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=@purser/source', CHILD, path, secret], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.split('\n').length > acknowledgements) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const versions = output.split('\n').slice(0, -1).map(Number)
  return versions.at(-1) ?? 0
}

/** What is stored is at least the acknowledged version, and consistent. */
async function inspectStored(path: string, secret: string, acknowledged: number): Promise<void> {
  const secretKey = { current: secret, previous: [] }
  await using harness = await openRuntimeHarness({ path, effects: systemEffects, secretKey })
  const user = harness.user('ada')
  const settings = await user.settings()
  assert.ok(settings.version >= acknowledged, `version ${acknowledged} was acknowledged, ${settings.version} is stored`)
  assert.equal(settings.region, `of ${settings.version}`)
  assert.equal(settings.model, settings.version % 2 === 1 ? 'x' : 'y')
  for (const { id, version } of await user.sessions()) {
    assert.equal((await user.settings({ session: id })).region, `of ${version}`)
  }
  const lease = await user.acquire()
  const key = harness.models[0]?.request.credentials?.apiKey
  assert.ok(key === `canary of ${settings.version}` || key === `canary of ${settings.version - 1}`, String(key))
  lease.release()
}

test('SIGKILL during writes loses no acknowledged change and leaves no partial one', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'purser-restart-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'purser.db')
  const secret = randomBytes(32).toString('base64')
  let acknowledged = 0
  for (let round = 0; round < rounds(20, 2); round++) {
    acknowledged = await runUntilKilled(path, secret, 20 + round)
    await inspectStored(path, secret, acknowledged)
  }
  for (const file of globSync(`${directory}/*`)) {
    assert.ok(!readFileSync(file).includes('canary'), `${file} contains a secret`)
  }
  t.diagnostic(`${acknowledged} changes acknowledged`)
})
