import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { hasSubscribers, onDiagnostic, publish } from '../../src/core/diagnostics.ts'

const run = promisify(execFile)
const USER = 'ada@example.org'
const PROGRAM = `
  import { openPurser } from '${new URL('../../src/index.ts', import.meta.url)}'
  await using purser = await openPurser({ store: 'memory:', ledger: { dailyCap: 1 } })
  const user = purser.user('${USER}')
  await user.ledger.admit()
  await user.ledger.admit()
  await user.context.resolve()
  await user.answers.lookup('question')
`

async function debugLines(nodeDebug: string): Promise<string> {
  const { stderr } = await run(
    process.execPath,
    ['--conditions=@purser/source', '--input-type=module', '--eval', PROGRAM],
    { env: { ...process.env, NODE_DEBUG: nodeDebug } },
  )
  return stderr
}

test('with NODE_DEBUG=purser every diagnostic is a line on stderr, with a hash instead of the user id', async () => {
  const lines = await debugLines('purser')
  const userHash = createHash('sha256').update(USER).digest('hex').slice(0, 8)
  assert.match(lines, /^PURSER \d+: admission \{.*"outcome":"allowed"/m)
  assert.match(lines, /^PURSER \d+: admission \{.*"outcome":"daily_cap"/m)
  assert.match(lines, /^PURSER \d+: activity \{/m)
  assert.match(lines, /^PURSER \d+: resolve \{/m)
  assert.match(lines, /^PURSER \d+: answer \{"namespace":"default","outcome":"miss"\}$/m)
  assert.match(lines, new RegExp(`"user":"${userHash}"`))
  assert.doesNotMatch(lines, /ada/)
})

test('without purser in NODE_DEBUG no diagnostic is written', async () => {
  assert.doesNotMatch(await debugLines('perser'), /PURSER/)
})

test('a subscriber gets the payload with the user id until it unsubscribes, and nothing else costs a payload', () => {
  const payload = { namespace: 'default', user: USER }
  const received: unknown[] = []
  assert.equal(hasSubscribers('activity'), false)
  const unsubscribe = onDiagnostic('activity', (activity) => void received.push(activity))
  assert.equal(hasSubscribers('activity'), true)
  publish('activity', payload)
  unsubscribe()
  assert.equal(hasSubscribers('activity'), false)
  publish('activity', payload)
  assert.deepEqual(received, [payload])
})
