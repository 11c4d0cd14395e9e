import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ResolvedContext } from '../../src/context/api.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openHouse, turn } from '../support/context-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { BEHAVIOURS, type Chaos, chaos } from './chaos-source.ts'

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('resolve' as const),
      user: fc.nat(2),
      budgetMs: fc.constantFrom(0, 1, 40, 200, 1_500, 4_000),
      create: fc.boolean(),
      maxAge: fc.boolean(),
      leaves: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 30, 150, 900, 2_000, 31_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('behave' as const),
      profile: fc.constantFrom(...BEHAVIOURS),
      actions: fc.constantFrom(...BEHAVIOURS),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('invalidate' as const), user: fc.nat(2) }) },
)

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

test('R1, R2, UC-16, UC-17, UC-D07 whatever the backend does, every resolve settles within its own budget', async () => {
  printSeed('deadlines under chaos')
  let late = 0
  let settled = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
      const clock = handClock()
      const profile = chaos(clock, (user) => ({ name: user }))
      const actions = chaos(clock, (user) => [{ action: `of ${user}`, at: '2026-01-01T11:59:00Z' }])
      const house = await openHouse({ sources: { profile: profile.source, actions: actions.source } }, { clock })
      const pending = new Set<Promise<void>>()
      const both: Chaos[] = [profile, actions]
      const blocked = (): number => profile.blockedMs + actions.blockedMs

      for (const next of steps) {
        if (next.kind === 'pass') await clock.pass(next.ms)
        else if (next.kind === 'behave') {
          profile.behaviour = next.profile
          actions.behaviour = next.actions
        } else if (next.kind === 'invalidate') await house.user(`u${next.user}`).context.invalidate()
        else {
          const id = `u${next.user}`
          const startedAt = clock.monotonic()
          const blockedBefore = blocked()
          const leaving = new AbortController()
          const resolving = house.user(id).context.resolve({
            budgetMs: next.budgetMs,
            mode: next.create ? 'create' : 'reuse',
            maxAgeMs: next.maxAge ? 0 : undefined,
            signal: leaving.signal,
          })
          const seen = resolving.then((context) => {
            settled += 1
            const waitedMs = clock.monotonic() - startedAt - (blocked() - blockedBefore)
            if (waitedMs > next.budgetMs) late += 1
            checkContext(context, id)
          })
          pending.add(seen)
          if (next.leaves) {
            leaving.abort()
            await seen
          }
        }
      }
      await clock.pass(4_000)
      await Promise.all(pending)
      for (const backend of both) assert.ok(backend.mostUnsettled <= 64)
      assert.equal(late, 0)
      await house.close()
    }),
    { seed, numRuns: rounds(10_000, 400) },
  )
  await turn()
  assert.ok(settled > 0)
  assert.deepEqual(unhandled, [], 'nothing is rejected without a listener')
})

function checkContext(context: ResolvedContext, user: string): void {
  assert.equal(typeof context.details, 'string')
  assert.equal(typeof context.actions, 'string')
  assert.ok(context.details !== '' && context.actions !== '')
  for (const section of context.sections) {
    assert.equal(section.loadedAt === null, section.status === 'unavailable')
    // R9: nobody gets another user's data.
    for (const other of ['u0', 'u1', 'u2']) if (other !== user) assert.ok(!section.text.includes(other))
  }
}
