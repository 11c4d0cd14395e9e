import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPurser } from 'purser'
import { DemoClock } from '../../../src/cli/demo/demo-clock.ts'
import { createDemoConfig } from '../../../src/cli/demo/demo-config.ts'
import { openDemoUpstream } from '../../../src/cli/demo/demo-upstream.ts'
import { PAST_DAYS, writePast } from '../../../src/cli/demo/write-past.ts'

const USERS = 45
const DAY_MS = 86_400_000

test('the past is written by the calls of the library: logs verify, in order, within 30 days', async () => {
  const clock = new DemoClock(PAST_DAYS * DAY_MS)
  const start = clock.now()
  const upstream = await openDemoUpstream(clock)
  const { server: _, ...options } = createDemoConfig(upstream.url)
  const purser = await openPurser({ ...options, effects: clock } as Parameters<typeof openPurser>[0])
  try {
    const people = await writePast({ purser, clock, users: USERS })
    assert.equal((await purser.overview()).users, USERS)
    const types = new Set<string>()
    for (const { id } of people) {
      const { ledger } = purser.user(id)
      const { ok, checked } = await ledger.verify()
      assert.ok(ok && checked > 0, id)
      const instants: number[] = []
      for (const { at, type } of await ledger.events({ limit: 1_000 })) {
        instants.push(Date.parse(at))
        types.add(type)
      }
      assert.deepEqual(
        instants,
        instants.toSorted((a, b) => b - a),
      )
      assert.ok((instants.at(-1) ?? 0) >= start && (instants[0] ?? 0) <= Date.now() + 1_000)
    }
    for (const type of ['phase_transition', 'risk_change', 'admin_action', 'limit_reached', 'provider_refusal']) {
      assert.ok(types.has(type), `${type} in ${[...types]}`)
    }
    const days = await purser.usage({ by: 'day' })
    assert.ok(days.length >= PAST_DAYS - 1, `${days.length} days`)
  } finally {
    await purser.close()
    await upstream.close()
  }
})
