import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LimitState, UserLedger } from '../../../src/index.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { type Child, startChild } from '../../support/start-child.ts'
import { temporaryPath } from '../../support/temporary-store.ts'
import {
  MAX_EXCESS,
  MAX_SLOTS,
  MAX_TOKENS,
  openHeldPurser,
  type SettledTurns,
  TURNS_IN_PROGRESS,
} from './held-turns.ts'
import { createRandom } from './limited-turns.ts'

/*
 * Processes admit turns of one user on one file, and one of them is killed while its turns hold tokens and slots. The holds
 * stay until their lease ends, and use is never above the maximum by more than what turns in progress used beyond their holds.
 */

const PROGRAM = new URL('holding-turns.ts', import.meta.url)
const KILLS = rounds(200, 2)
/** Longer than the lease of an admission outside turns. */
const LEASE_MS = 16 * 60_000

interface Running {
  readonly child: Child
  last: SettledTurns
}

function start(...args: readonly string[]): Running {
  return { child: startChild(PROGRAM, args), last: { turns: 0, tokens: 0, excess: 0 } }
}

/** Reads what a process prints, until it ends. */
async function follow(running: Running, onLine: (line: unknown) => void = () => undefined): Promise<void> {
  for (;;) {
    const line = await running.child.line().catch(() => undefined)
    if (line === undefined) break
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object') running.last = value as SettledTurns
    onLine(value)
  }
  await running.child.exited
}

async function stateOf(ledger: UserLedger): Promise<Record<'tokens' | 'turns' | 'slots', LimitState>> {
  const states = await ledger.limits()
  return Object.fromEntries(states.map((state) => [state.name, state])) as never
}

test(`holds of a process that is killed lapse with their lease, and no limit is passed, ${KILLS} times`, async () => {
  printSeed('killed holds')
  const store = `sqlite:${temporaryPath()}`
  let slots = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const user = `user-${kill}`
    const all = kill % 2 === 0 ? await killHolding(store, user, kill) : await killAtRandom(store, user, kill)
    const { purser, advance } = await openHeldPurser(store)
    const { ledger } = purser.user(user)
    const sum = (field: keyof SettledTurns): number => all.reduce((total, { last }) => total + last[field], 0)
    // What the killed process had in progress may be settled without a line about it.
    const unknown = TURNS_IN_PROGRESS * MAX_EXCESS
    const before = await stateOf(ledger)
    const used = Number(before.tokens.used)
    assert.ok(used >= sum('tokens'), `${used} tokens, ${sum('tokens')} acknowledged`)
    assert.ok(used <= MAX_TOKENS + sum('excess') + unknown, `${used} tokens`)
    assert.ok(Number(before.slots.used) <= TURNS_IN_PROGRESS, `${before.slots.used} slots of the killed process`)
    assert.ok(Number(before.turns.used) >= sum('turns') + Number(before.slots.used), 'a turn in progress stays counted')
    // What is held counts as used until then.
    slots += Number(before.slots.used)
    const left = Math.max(0, MAX_TOKENS - used - Number(before.tokens.held))
    assert.equal((await ledger.admit({ estimate: { outputTokens: left + 1 } })).allowed, false)

    advance(LEASE_MS)
    const after = await stateOf(ledger)
    assert.deepEqual([after.tokens.held, after.slots.used, after.tokens.used], [0, 0, before.tokens.used])
    assert.equal(after.turns.used, before.turns.used)
    const filled = await fill(ledger)
    const last = await stateOf(ledger)
    assert.equal(Number(last.tokens.used), used + filled)
    assert.ok(Number(last.tokens.used) <= Math.max(MAX_TOKENS, used))
    await purser.close()
  }
  assert.ok(slots > 0, 'no process was killed with turns in progress')
})

/** A process is killed that holds what its turns may use; then another one uses what is left. */
async function killHolding(store: string, user: string, kill: number): Promise<readonly Running[]> {
  const killed = start(store, user, String(seed + kill), String(createRandom(seed + kill)(10)))
  await follow(killed, (line) => {
    if (line === 'holding') killed.child.process.kill('SIGKILL')
  })
  const other = start(store, user, String(seed + kill + 1))
  await follow(other)
  return [killed, other]
}

/** Two processes run, and one of them is killed at any moment. */
async function killAtRandom(store: string, user: string, kill: number): Promise<readonly Running[]> {
  const [killed, other] = [start(store, user, String(seed + kill)), start(store, user, String(seed + kill + 1))]
  let lines = 2 + createRandom(seed + kill)(20)
  const onLine = (): void => {
    if (--lines === 0) killed.child.process.kill('SIGKILL')
  }
  await Promise.all([follow(killed, onLine), follow(other)])
  return [killed, other]
}

/** Uses what is left, with all slots at once. Resolves to the tokens that were used. */
async function fill(ledger: UserLedger): Promise<number> {
  const admissions = await Promise.all(
    Array.from({ length: MAX_SLOTS + 5 }, () => ledger.admit({ estimate: { outputTokens: 1 } })),
  )
  const tickets = admissions.flatMap((admission) => (admission.allowed ? [admission.ticket] : []))
  assert.ok(tickets.length <= MAX_SLOTS, `${tickets.length} slots`)
  for (const ticket of tickets) await ledger.settle(ticket, { outputTokens: 1 })
  const left = Number((await stateOf(ledger)).tokens.remaining)
  if (left <= 0) return tickets.length
  assert.equal((await ledger.admit({ estimate: { outputTokens: left + 1 } })).allowed, false)
  const whole = await ledger.admit({ estimate: { outputTokens: left } })
  assert.ok(whole.allowed)
  await ledger.settle(whole.ticket, { outputTokens: left })
  return tickets.length + left
}
