import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openContextHarness } from '../support/context-harness.ts'
import { measureLag } from '../support/event-loop-lag.ts'

const BUDGET_MS = 120

type Behavior = (response: ServerResponse) => void

/** What a service can do to its caller over HTTP. */
const BEHAVIORS: Readonly<Record<string, Behavior>> = {
  'never answers': () => undefined,
  'answers late': (response) => void systemEffects.setTimer(() => response.end('{"note":"late"}'), 3 * BUDGET_MS),
  'breaks the connection': (response) => void response.destroy(),
  'sends invalid JSON': (response) => void response.end('<html>'),
  'sends the wrong type': (response) => void response.end('42'),
  'sends without end': (response) => {
    const sendMore = (): void => {
      if (!response.destroyed) response.write('"x",'.repeat(20_000), () => setImmediate(sendMore))
    }
    sendMore()
  },
  'sends a byte at a time': (response) => {
    const sendMore = (): void => {
      if (response.destroyed) return
      response.write(' ')
      systemEffects.setTimer(sendMore, 10)
    }
    sendMore()
  },
}

test('UC-D07 over HTTP, whatever the service does, cold, stale and warm calls return within the budget', async (t) => {
  const well: Behavior = (response) => void response.end('{"note":"well"}')
  let behave = well
  const server = createServer((_, response) => behave(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/of/{user}`
  for (const [name, misbehave] of Object.entries(BEHAVIORS)) {
    for (const [state, ttlMs, status] of [
      ['cold', 60_000, 'unavailable'],
      ['stale', 0, 'stale'],
      ['warm', 60_000, 'fresh'],
    ] as const) {
      await using harness = await openContextHarness(
        { budgetMs: BUDGET_MS, ttlMs, sources: { profile: { url } } },
        { effects: systemEffects },
      )
      const { context } = harness.user('asha')
      behave = well
      if (state !== 'cold') await context.resolve({ budgetMs: 5_000 })
      behave = misbehave
      const lag = measureLag()
      const startedAt = performance.now()
      const { sections } = await context.resolve()
      const waitedMs = performance.now() - startedAt
      const lagMs = await lag.worst()
      assert.equal(sections[0]?.status, status, `${name}, ${state}`)
      assert.ok(waitedMs <= BUDGET_MS + 25 + 2 * lagMs, `${name}, ${state}: ${waitedMs} ms`)
    }
  }
})
