/*
 * Rate of commits of the Redis driver, relative to the same script with the same arguments called by node-redis directly, in
 * interleaved slices on one server that the program starts. The server writes an append-only file and flushes it every second.
 *
 *   npm run redis -- [rounds, 9] [callers, 64]
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisStore } from 'purser/redis'
import { createClient } from 'redis'
import { Keys } from '../packages/purser/src/drivers/redis/keys.ts'
import { commitArguments } from '../packages/purser/src/drivers/redis/rows.ts'
import { COMMIT } from '../packages/purser/src/drivers/redis/scripts/commit.ts'
import type { Commit } from '../packages/purser/src/storage/commit.ts'
import { findFreePort } from '../packages/purser/test/support/free-port.ts'
import { formatInteger, median } from './ledger/figures.ts'

const ROUNDS = Number(process.argv[2] ?? 9)
const CALLERS = Number(process.argv[3] ?? 64)
const SLICE_MS = 1_000
const NAMESPACE = 'bench'
const FACETS = { phase: 'dormant', riskLevel: 'low', blocked: false, capUsed: 0.5, capUsedUntil: 1e13, peak: 0.5 }

/** What an admission writes: usage, the use of the cap and the time the user was seen. */
function admissionOf(expect: number | null): Commit {
  const now = Date.now()
  const usage = JSON.stringify({ daily: { window: now, used: expect ?? 0, tokens: 123_456 } })
  const facets = { ...FACETS, capUsed: (expect ?? 0) / 1_000_000 }
  const lists = { events: [], records: [], trims: [], replies: [] }
  return { expect, incarnation: 1, tag: expect === null ? 'tag' : null, at: now, seenAt: now, facets, usage, ...lists }
}

type Write = (id: string, expect: number | null) => Promise<number>

/** Each caller writes a user of its own, one commit after the other. Returns commits per second. */
async function measure(write: Write, revisions: Map<string, number>): Promise<number> {
  const startedAt = performance.now()
  let commits = 0
  const call = async (id: string): Promise<void> => {
    while (performance.now() - startedAt < SLICE_MS) {
      revisions.set(id, await write(id, revisions.get(id) ?? null))
      commits++
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, index) => call(`user-${index}`)))
  return commits / ((performance.now() - startedAt) / 1_000)
}

const directory = mkdtempSync(join(tmpdir(), 'purser-bench-redis-'))
const port = await findFreePort()
const flags = [
  '--port',
  String(port),
  '--dir',
  directory,
  '--appendonly',
  'yes',
  '--appendfsync',
  'everysec',
  '--save',
  '',
]
const server = spawn('redis-server', flags, { stdio: 'ignore' })
const url = `redis://127.0.0.1:${port}`
const client = createClient({ url, RESP: 2, commandOptions: { timeout: 0 } }).on('error', () => undefined)
await client.connect()
const store = redisStore({ url, prefix: 'driver' })
try {
  const keys = new Keys('raw')
  await client.sendCommand(['SCRIPT', 'LOAD', COMMIT.lua])
  let commits = 0
  const raw: Write = async (id, expect) => {
    const user = { namespace: NAMESPACE, id }
    const list = [...Object.values(keys.user(user)), ...Object.values(keys.of(NAMESPACE).ledger)]
    const commitId = String(++commits).padStart(16, '0')
    const args = commitArguments({ user, commit: admissionOf(expect), id: commitId }, false)
    const outcome = await client.sendCommand(['EVALSHA', COMMIT.sha, String(list.length), ...list, ...args])
    if (String(outcome) !== 'ok') throw new Error(`The script returned ${String(outcome)}.`)
    return (expect ?? 0) + 1
  }
  const driver: Write = async (id, expect) => {
    const outcome = await store.users.commit({ namespace: NAMESPACE, id }, admissionOf(expect))
    if (!outcome.ok) throw new Error('The commit was refused.')
    return outcome.revision
  }
  const [ofRaw, ofDriver] = [new Map<string, number>(), new Map<string, number>()]
  await measure(raw, ofRaw)
  await measure(driver, ofDriver)
  const rates: { readonly raw: number; readonly driver: number }[] = []
  for (let round = 0; round < ROUNDS; round++)
    rates.push({ raw: await measure(raw, ofRaw), driver: await measure(driver, ofDriver) })
  console.log(`raw script   ${formatInteger(median(rates.map((rate) => rate.raw)))} commits/s`)
  console.log(`driver       ${formatInteger(median(rates.map((rate) => rate.driver)))} commits/s`)
  const ratio = median(rates.map((rate) => rate.driver / rate.raw))
  console.log(`ratio        ${ratio.toFixed(2)} (median of ${ROUNDS} pairs of slices; goal 0.70)`)
} finally {
  await store.close()
  client.destroy()
  server.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
