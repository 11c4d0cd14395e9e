import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { isFullRun } from '../support/fuzz-options.ts'
import { noPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, sharedRedis } from '../support/redis-server.ts'

/*
 * The suites of the modules and of the gateway on the stores of servers: each file runs as `npm test` runs it, with the
 * store in PURSER_TEST_STORE. A share of the files runs with `npm test`, all of them in a full run.
 */

const root = resolve(import.meta.dirname, '../../../..')

const SUITES: readonly string[] = [
  'packages/purser/test/runtime',
  'packages/purser/test/context',
  'packages/purser/test/turn',
  'packages/purser/test/ai-sdk',
  'packages/server/test/routes/gateway',
  'packages/server/test/routes/api',
]
/** What every run contains. */
const SHARE: readonly string[] = [
  'packages/purser/test/runtime/sessions.test.ts',
  'packages/purser/test/turn/idempotency.test.ts',
  'packages/server/test/routes/gateway/isolation.test.ts',
]

/**
 * Tests that move a clock by hand, to the millisecond, while the store takes real time, that ask again before the last good
 * context is stored, or that count what happens in one turn of the event loop.
 */
const CONTROLS_TIME: readonly string[] = [
  'UC-06, UC-07',
  'UC-16, UC-17, UC-D07 whatever a source does',
  'UC-17 a load that ends',
  'UC-18, UC-19, UC-20',
  'UC-30 to UC-45',
  'UC-D0[2348]',
  'UC-D07 over HTTP',
  'UC-D2[35]',
  'a caller that joins a load',
  'a claim whose process does not return',
  'a failed write of a session use',
  'a failing source gets one probe',
  'a negative cache',
  'a process waits for the refresh',
  'a session records the models it ran on, in the background',
  'a section has a budget of its own',
  'a section has its own TTL',
  'a section says why it is missing',
  'a section that is stable for the session',
  'a section whose budget is 0',
  'a source that resolves the same user',
  'a user whose loads hang',
  'an abort returns at once',
  'data is refreshed ahead of its expiry by the call',
  'an outage for all users',
  'at maxMcpProcesses',
  'maxAgeMs waits for newer data',
  'queued loads are limited',
  'removing a server from the settings',
  'stale data says whether',
  'tokens that arrive after their claim',
  'users who wait for a server that hangs',
  'when all calls hang',
]

/** What depends on a store in files, or starts a server of its own. */
const OTHER_STORES: readonly string[] = ['postgres-instances.test.ts', 'crash.test.ts', 'readiness.test.ts']

const files = (isFullRun ? SUITES.flatMap((folder) => globSync(`${folder}/*.test.ts`, { cwd: root })) : SHARE).filter(
  (file) => !OTHER_STORES.some((name) => file.endsWith(name)),
)

async function runSuite(file: string, url: string): Promise<void> {
  const flags = ['--conditions=@purser/source', '--test', '--test-force-exit', '--test-reporter=spec']
  const skipped = CONTROLS_TIME.map((title) => `--test-skip-pattern=${title}`)
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env
  const child = spawn(process.execPath, [...flags, ...skipped, join(root, file)], {
    cwd: root,
    env: { ...environment, PURSER_TEST_STORE: url, PURSER_TEST_FULL: '' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const code = await new Promise((end) => child.on('close', end))
  assert.equal(code, 0, output)
  // Or all of them name a package that is not installed.
  assert.match(output, /(pass|skipped) [1-9]/, 'no test ran')
}

describe('suites on Redis', { skip: noRedis }, () => {
  for (const file of files) test(file, async () => runSuite(file, (await sharedRedis()).url()))
})

describe('suites on PostgreSQL', { skip: noPostgres }, () => {
  for (const file of files) test(file, async () => runSuite(file, (await sharedPostgres()).url()))
})
