import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openPurser, type Purser, type PurserOptions } from '../../src/index.ts'
import type { Limit } from '../../src/options.ts'
import { handClock } from '../../src/testing/index.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { createTokenProvider } from '../support/token-provider.ts'

const PRICES = { 'local/m': { input: '1000', output: '2000' } }
const MINUTE_MS = 60_000

interface Step {
  readonly user: string
  readonly input: number
  readonly output: number
  readonly isFailing: boolean
  readonly cost: number
  readonly minutes: number
  /** Read later, after this many other steps. */
  readonly delay: number
}

const STEP = fc.record({
  user: fc.constantFrom('ada', 'bob'),
  input: fc.integer({ min: 0, max: 300 }),
  output: fc.integer({ min: 0, max: 300 }),
  isFailing: fc.integer({ min: 0, max: 5 }).map((value) => value === 0),
  cost: fc.constantFrom(1, 1, 2),
  minutes: fc.constantFrom(0, 0, 1, 5, 61, 700),
  delay: fc.constantFrom(0, 0, 1, 3),
})

const LIMIT = fc.record({
  measure: fc.constantFrom('turns' as const, 'tokens' as const, 'outputTokens' as const, 'cost' as const),
  max: fc.integer({ min: 0, max: 1_500 }),
  window: fc.constantFrom('day', 'week', 'month', '1h', 'sliding:2h', 'total'),
  mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'observe' as const),
})

async function open(options: PurserOptions): Promise<{ purser: Purser; clock: ReturnType<typeof handClock> }> {
  const clock = handClock({ wall: '2026-03-10T22:00:00Z' })
  const purser = await openPurser({
    store: 'memory:',
    effects: clock,
    providers: { local: createTokenProvider() },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    prices: PRICES,
    ...options,
  })
  return { purser, clock }
}

interface Refusals {
  readonly [user: string]: { readonly refused: number; readonly limit: string; readonly firstAt: string } | undefined
}

/** Runs the steps, and returns what was refused. Turns that the other Purser refuses are left out. */
async function run(options: PurserOptions, steps: readonly Step[]): Promise<{ purser: Purser; refusals: Refusals }> {
  const { purser, clock } = await open(options)
  const refusals: Record<string, { refused: number; limit: string; firstAt: string }> = {}
  const unread: { after: number; read: () => Promise<unknown> }[] = []
  for (const [index, { user, input, output, isFailing, cost, minutes, delay }] of steps.entries()) {
    for (const entry of unread.splice(0)) {
      if (entry.after > index) unread.push(entry)
      else await entry.read()
    }
    await purser.user(user).ledger.quota()
    // An estimate has the context as it was rendered last, which depends on the turns before.
    await purser.user(user).context.resolve()
    const content = isFailing ? 'fail' : `use ${input} ${output}`
    const turn = await purser
      .user(user)
      .turn({ messages: [{ role: 'user', content }] }, { cost, readerTimeoutMs: 1e12 })
      .catch(() => undefined)
    if (turn?.allowed === false) {
      const limit = turn.admission.reason === 'daily_cap' ? 'daily' : (turn.admission.limit?.name ?? '')
      const at = new Date(clock.now()).toISOString()
      const { refused = 0, limit: first = limit, firstAt = at } = refusals[user] ?? {}
      refusals[user] = { refused: refused + 1, limit: first, firstAt }
    } else if (turn !== undefined) unread.push({ after: index + 1 + delay, read: () => turn.completion() })
    // Of two events in one millisecond a record does not tell which was first.
    clock.advance(minutes * MINUTE_MS + 1)
  }
  for (const { read } of unread) await read()
  return { purser, refusals }
}

test('a simulation refuses what the same limits refuse in earnest', async () => {
  printSeed('simulation')
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { minLength: 1, maxLength: 40 }),
      fc.array(LIMIT, { minLength: 1, maxLength: 3 }),
      async (steps, proposed) => {
        const limits: Limit[] = proposed.map((limit, index) => ({ name: `limit${index}`, ...limit }))
        // The clock jumps over the times at which turns in progress renew what they hold.
        const hold = { leaseMs: 86_400_000 }
        const recorded = await run({ ledger: { limits: [], hold } }, steps)
        const enforced = await run({ ledger: { limits, hold } }, steps)
        const { complete, users, refused } = await recorded.purser.simulate({ limits })
        const found = Object.fromEntries(users.map(({ user, ...refusal }) => [user, refusal]))
        assert.deepEqual(found, enforced.refusals)
        assert.equal(
          refused,
          Object.values(enforced.refusals).reduce((sum, entry) => sum + (entry?.refused ?? 0), 0),
        )
        assert.equal(complete, true)
        await Promise.all([recorded.purser.close(), enforced.purser.close()])
      },
    ),
    { seed, numRuns: rounds(3_000, 25) },
  )
})

test('a simulation says when records do not reach back, and keeps what was set for a user', async () => {
  const steps = Array.from(
    { length: 12 },
    (): Step => ({
      user: 'ada',
      input: 1,
      output: 1,
      isFailing: false,
      cost: 1,
      minutes: 1,
      delay: 0,
    }),
  )
  const day: Limit = { name: 'day', measure: 'turns', max: 4, window: 'day' }
  const { purser } = await run({ ledger: { limits: [day], keepTurns: { maxPerUser: 3 } } }, steps)
  const [first] = await Array.fromAsync(purser.turns({ outcome: 'completed' }))
  const cut = await purser.simulate({ limits: [{ ...day, max: 1 }] })
  assert.deepEqual([cut.turns, cut.complete], [0, true])
  assert.equal(first, undefined)
  const whole = await run({ ledger: { keepTurns: { maxPerUser: 5 } } }, steps)
  const short: Limit = { name: 'short', measure: 'turns', max: 1, window: '1m' }
  const total = await whole.purser.simulate({ limits: [{ ...day, max: 1 }] })
  assert.deepEqual([total.turns, total.refused, total.complete], [5, 4, false])
  const since = new Date(Date.parse('2026-03-10T22:09:30Z')).toISOString()
  const later = await whole.purser.simulate({ limits: [short], since })
  assert.deepEqual([later.turns, later.refused, later.complete], [2, 0, true])
  const watched = await whole.purser.simulate({ limits: [{ ...day, window: 'total', mode: 'observe' }, short], since })
  assert.deepEqual([watched.refused, watched.complete], [0, true])
  await whole.purser.user('ada').ledger.setDailyCap(2, { actor: 'ana' })
  const capped = await whole.purser.simulate({ limits: [], users: ['ada', 'unknown'] })
  assert.deepEqual(
    capped.users.map(({ user, refused, limit }) => [user, refused, limit]),
    [['ada', 3, 'daily']],
  )
  await assert.rejects(whole.purser.simulate({ limits: [{ ...day, max: -1 }] }), { code: 'argument_invalid' })
  await assert.rejects(whole.purser.simulate({ plans: { a: { extends: 'b' } } }), { code: 'argument_invalid' })
  await assert.rejects(whole.purser.simulate({ signal: AbortSignal.abort(new Error('stop')) }), /stop/)
  await Promise.all([purser.close(), whole.purser.close()])
})
