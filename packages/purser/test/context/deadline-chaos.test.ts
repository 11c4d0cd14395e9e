import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ResolvedContext } from '../../src/context/api.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { BEHAVIORS, createChaosSource } from './chaos-source.ts'

const resolveStep = fc.record({
  kind: fc.constant('resolve' as const),
  user: fc.nat(2),
  budgetMs: fc.constantFrom(0, 1, 40, 200, 1_500, 4_000),
  create: fc.boolean(),
  maxAge: fc.boolean(),
  aborts: fc.boolean(),
})
const passStep = fc.record({
  kind: fc.constant('pass' as const),
  ms: fc.constantFrom(1, 30, 150, 900, 2_000, 31_000),
})
const behaveStep = fc.record({
  kind: fc.constant('behave' as const),
  profile: fc.constantFrom(...BEHAVIORS),
  actions: fc.constantFrom(...BEHAVIORS),
})
const invalidateStep = fc.record({ kind: fc.constant('invalidate' as const), user: fc.nat(2) })
const step = fc.oneof(
  { weight: 5, arbitrary: resolveStep },
  { weight: 4, arbitrary: passStep },
  { weight: 2, arbitrary: behaveStep },
  { weight: 1, arbitrary: invalidateStep },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
type ResolveStep = Extract<Step, { kind: 'resolve' }>

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

/** Runs the steps and returns how many calls of `resolve` have settled. */
async function run(steps: readonly Step[]): Promise<number> {
  const clock = handClock()
  const profile = createChaosSource(clock, (user) => ({ name: user }))
  const actions = createChaosSource(clock, (user) => [{ action: `of ${user}`, at: '2026-01-01T11:59:00Z' }])
  await using harness = await openContextHarness(
    { sources: { profile: profile.source, actions: actions.source } },
    { clock },
  )
  const pending: Promise<void>[] = []
  const blockedMs = (): number => profile.blockedMs + actions.blockedMs

  /** Checks one call when it settles: it has waited no longer than its budget, unless a source blocked the event loop. */
  async function resolve({ user, budgetMs, create, maxAge }: ResolveStep, signal: AbortSignal): Promise<void> {
    const startedAt = clock.monotonic()
    const blockedBeforeMs = blockedMs()
    const mode = create ? 'create' : 'reuse'
    const maxAgeMs = maxAge ? 0 : undefined
    const context = await harness.user(`u${user}`).context.resolve({ budgetMs, mode, maxAgeMs, signal })
    const waitedMs = clock.monotonic() - startedAt - (blockedMs() - blockedBeforeMs)
    assert.ok(waitedMs <= budgetMs, `waited ${waitedMs} ms of ${budgetMs}`)
    checkContext(context, `u${user}`)
  }

  for (const next of steps) {
    if (next.kind === 'pass') await clock.pass(next.ms)
    else if (next.kind === 'behave') {
      profile.behavior = next.profile
      actions.behavior = next.actions
    } else if (next.kind === 'invalidate') await harness.user(`u${next.user}`).context.invalidate()
    else {
      const abort = new AbortController()
      const resolving = resolve(next, abort.signal)
      pending.push(resolving)
      if (next.aborts) {
        abort.abort()
        await resolving
      }
    }
  }
  await clock.pass(4_000)
  await Promise.all(pending)
  for (const { mostUnsettled } of [profile, actions]) assert.ok(mostUnsettled <= 64)
  return pending.length
}

function checkContext(context: ResolvedContext, user: string): void {
  assert.equal(typeof context.details, 'string')
  assert.equal(typeof context.actions, 'string')
  assert.ok(context.details !== '' && context.actions !== '')
  for (const section of context.sections) {
    assert.equal(section.loadedAt === null, section.status === 'unavailable')
    for (const other of ['u0', 'u1', 'u2'])
      if (other !== user) assert.ok(!section.text.includes(other), 'data of another user')
  }
}

test('UC-16, UC-17, UC-D07 whatever a source does, every resolve settles within its own budget', async () => {
  printSeed('deadlines under chaos')
  let settled = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
      settled += await run(steps)
    }),
    { seed, numRuns: rounds(10_000, 400) },
  )
  await runCallbacks()
  assert.ok(settled > 0)
  assert.deepEqual(unhandled, [], 'no promise rejects without a handler')
})
