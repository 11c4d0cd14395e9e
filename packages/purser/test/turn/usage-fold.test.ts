import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createJitter } from '../../src/core/jitter.ts'
import type { Purser, TurnRecord, UsageSum } from '../../src/index.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { startChild } from '../support/start-child.ts'
import { temporaryPath } from '../support/temporary-store.ts'
import { type CountingUpstream, startCountingUpstream, type UpstreamCall } from './usage-fold/counting-upstream.ts'
import { openFoldedPurser } from './usage-fold/folded-purser.ts'
import {
  BATCH_UNITS,
  contentOf,
  scriptOf,
  type TurnedBatch,
  type TurningOptions,
  USERS,
  userOf,
} from './usage-fold/turn-script.ts'

/*
 * Random turns of many users in processes that are killed. Afterwards three things agree: the sums of usage, a fold over
 * the records of turns, and what an upstream has counted.
 */

const TURNS = rounds(200_000, 2_000)
const KILLS = rounds(100, 2)
/** About four turns in three units. */
const UNITS = Math.ceil((TURNS * 3) / 4)
const PROGRAM = new URL('usage-fold/turning-process.ts', import.meta.url)
const WALL = Date.parse('2026-03-01T00:00:00Z')
const HOUR_MS = 3_600_000

interface Turned {
  /** The outcomes that callers saw, by request id. */
  readonly ended: ReadonlyMap<string, string>
  /** Units that were in progress when a process was killed. */
  readonly interrupted: ReadonlySet<number>
  readonly wall: number
}

async function turnAndKill(upstream: CountingUpstream, path: string): Promise<Turned> {
  const random = createJitter(`kills ${seed}`)
  const ended = new Map<string, string>()
  const interrupted = new Set<number>()
  let wall = WALL
  let kills = 0
  for (let first = 0; first < UNITS; ) {
    const options: TurningOptions = { path, origin: upstream.origin, seed, first, units: UNITS, wall }
    const child = startChild(PROGRAM, [JSON.stringify(options)])
    const killAt = upstream.calls.length + Math.ceil((0.5 + random()) * (UNITS / (KILLS + 1)))
    upstream.onCall = () => {
      if (kills < KILLS && upstream.calls.length === killAt) child.process.kill('SIGKILL')
    }
    for (let line = await nextLine(child); line !== undefined; line = await nextLine(child)) {
      const batch = JSON.parse(line) as TurnedBatch
      first = batch.next
      wall = batch.wall
      for (const [requestId, outcome] of batch.ended) ended.set(requestId, outcome)
    }
    await child.exited
    wall += 2 * HOUR_MS
    if (first >= UNITS) break
    assert.equal(child.process.signalCode, 'SIGKILL')
    kills++
    for (let number = first; number < first + BATCH_UNITS; number++) interrupted.add(number)
    first += BATCH_UNITS
  }
  assert.ok(kills > 0, 'nothing was killed')
  return { ended, interrupted, wall }
}

function nextLine(child: ReturnType<typeof startChild>): Promise<string | undefined> {
  return child.line().catch(() => undefined)
}

function unitOf({ requestId }: Pick<TurnRecord, 'requestId'>): number {
  return Number(requestId?.split('.')[0])
}

/** Every turn that ended has one record with its outcome; others are of units that were interrupted. */
function checkRecords(records: readonly TurnRecord[], { ended, interrupted }: Turned): void {
  const outcomes = new Map(records.map(({ requestId, outcome }) => [requestId, outcome]))
  assert.equal(outcomes.size, records.length, 'a turn has two records')
  for (const [requestId, outcome] of ended) {
    const { kind } = scriptOf(seed, Number(requestId.split('.')[0]))
    assert.equal(outcomes.get(requestId), outcome, `${requestId} (${kind})`)
  }
  for (const record of records)
    assert.ok(ended.has(record.requestId ?? '') || interrupted.has(unitOf(record)), `${record.requestId} never ended`)
}

interface Tokens {
  inputTokens: number
  outputTokens: number
  cachedTokens: number
}

function addTokens(sums: Map<number, Tokens>, number: number, tokens: Tokens): void {
  const sum = sums.get(number) ?? { inputTokens: 0, outputTokens: 0, cachedTokens: 0 }
  sum.inputTokens += tokens.inputTokens
  sum.outputTokens += tokens.outputTokens
  sum.cachedTokens += tokens.cachedTokens
  sums.set(number, sum)
}

/** What a turn has to count for a call: of one that was cut before its report, input is a quarter of the bytes. */
function tokensOfCall({ number, outcome, ...sent }: UpstreamCall): Tokens {
  const { inputTokens, outputTokens, cachedTokens } = sent
  if (outcome === 'failed') return { inputTokens: 0, outputTokens: 0, cachedTokens: 0 }
  const script = scriptOf(seed, number)
  const estimated = outcome === 'cut' && !script.reportsEarly
  return {
    inputTokens: estimated ? Math.ceil(Buffer.byteLength(contentOf(script)) / 4) : inputTokens,
    outputTokens,
    cachedTokens,
  }
}

/** The records of each unit count what the upstream has sent for it. */
function checkUpstream(
  records: readonly TurnRecord[],
  calls: readonly UpstreamCall[],
  { interrupted }: Pick<Turned, 'interrupted'>,
): void {
  const recorded = new Map<number, Tokens>()
  const sent = new Map<number, Tokens>()
  for (const record of records) if (!interrupted.has(unitOf(record))) addTokens(recorded, unitOf(record), record)
  for (const call of calls) if (!interrupted.has(call.number)) addTokens(sent, call.number, tokensOfCall(call))
  for (const [number, tokens] of recorded) {
    const { kind } = scriptOf(seed, number)
    assert.deepEqual(
      tokens,
      sent.get(number) ?? { inputTokens: 0, outputTokens: 0, cachedTokens: 0 },
      `${number} ${kind}`,
    )
    sent.delete(number)
  }
  assert.deepEqual([...sent], [], 'calls without a record')
}

const NANO = 1_000_000_000n

/** Decimal text in nano-units. */
function parseCost(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole) * NANO + BigInt(fraction.padEnd(9, '0'))
}

/** Tokens have these prices in nano-units; the model `n` has none. */
function checkCosts(records: readonly TurnRecord[]): void {
  for (const record of records) {
    const { provider, model, inputTokens, outputTokens, cachedTokens, cost, id } = record
    const used = inputTokens + outputTokens > 0
    if (model === 'n') assert.equal(cost, used ? null : cost, id)
    else if (provider === 'other')
      assert.equal(parseCost(cost ?? ''), BigInt(inputTokens * 2_000 + outputTokens * 7_000), id)
    else if (model !== null) {
      const nano = (inputTokens - cachedTokens) * 1_000_000 + cachedTokens * 100_000 + outputTokens * 3_000_000
      assert.equal(parseCost(cost ?? ''), BigInt(nano), id)
    }
  }
}

const NOTHING = { turns: 0, refused: 0, unpriced: 0, inputTokens: 0, outputTokens: 0, cachedTokens: 0, cost: 0n }

type Fold = Map<string | null, Omit<UsageSum, 'cost' | 'key'> & { readonly cost: bigint }>

function foldRecords(records: readonly TurnRecord[], keyOf: (record: TurnRecord) => string | null): Fold {
  const fold: Fold = new Map()
  for (const record of records) {
    const isRefused = record.outcome === 'refused'
    const key = keyOf(record)
    const sum = fold.get(key) ?? NOTHING
    fold.set(key, {
      turns: sum.turns + (isRefused ? 0 : record.weight),
      refused: sum.refused + (isRefused ? 1 : 0),
      unpriced: sum.unpriced + (record.cost === null ? 1 : 0),
      inputTokens: sum.inputTokens + record.inputTokens,
      outputTokens: sum.outputTokens + record.outputTokens,
      cachedTokens: sum.cachedTokens + record.cachedTokens,
      cost: sum.cost + parseCost(record.cost ?? '0'),
    })
  }
  // What adds nothing is not in the sums.
  return new Map([...fold].filter(([, sum]) => Object.values(sum).some(Boolean)))
}

function toFold(sums: readonly UsageSum[]): Fold {
  return new Map(sums.map(({ key, cost, ...sum }) => [key, { ...sum, cost: parseCost(cost) }]))
}

const KOLKATA = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Kolkata', dateStyle: 'short' })

/** Every third user is in Kolkata, the others in UTC. */
function dayOf({ user, at }: TurnRecord): string {
  const index = Number(user.slice('user-'.length))
  return index % 3 === 0 ? KOLKATA.format(new Date(at)) : at.slice(0, 10)
}

const KEYS = {
  hour: ({ at }: TurnRecord) => at.slice(0, 13),
  day: dayOf,
  month: (record: TurnRecord) => dayOf(record).slice(0, 7),
  model: ({ provider, model }: TurnRecord) => (provider === null || model === null ? null : `${provider}/${model}`),
  plan: ({ plan }: TurnRecord) => plan,
  provider: ({ provider }: TurnRecord) => provider,
  user: ({ user }: TurnRecord) => user,
}

async function checkSums(purser: Purser, records: readonly TurnRecord[]): Promise<void> {
  const range = { from: '2026-01-01', limit: 10_000 }
  for (const [by, keyOf] of Object.entries(KEYS) as [keyof typeof KEYS, (record: TurnRecord) => string | null][])
    assert.deepEqual(toFold(await purser.usage({ by, ...range })), foldRecords(records, keyOf), by)
  const refusedBy = records.filter(({ limit }) => limit !== null)
  const limits = (await purser.usage({ by: 'limit', ...range })).filter(({ key }) => key !== 'watched')
  assert.deepEqual(
    new Map(limits.map(({ key, refused }) => [key, refused])),
    new Map([...Map.groupBy(refusedBy, ({ limit }) => limit)].map(([limit, refused]) => [limit, refused.length])),
  )
}

/** The sums and the limits of each user. A turn that a kill has cut stays counted, with no tokens. */
async function checkUsers(purser: Purser, records: readonly TurnRecord[], { interrupted }: Turned): Promise<void> {
  const byUser = Map.groupBy(records, ({ user }) => user)
  const lost = new Map<string, number>()
  for (const number of interrupted) {
    const { user, weight, turns } = scriptOf(seed, number)
    lost.set(user, (lost.get(user) ?? 0) + weight * turns * 2)
  }
  for (let index = 0; index < USERS; index++) {
    const user = purser.user(userOf(index))
    const own = byUser.get(user.id) ?? []
    for (const by of ['hour', 'day', 'month', 'model'] as const)
      assert.deepEqual(toFold(await user.usage({ by, from: '2026-01-01' })), foldRecords(own, KEYS[by]), user.id)
    const used = new Map((await user.ledger.limits()).map((limit) => [limit.name, Number(limit.used)]))
    const sum = (amount: (record: TurnRecord) => number): number =>
      own.reduce((total, record) => total + amount(record), 0)
    assert.equal(
      used.get('allTokens'),
      sum(({ inputTokens, outputTokens }) => inputTokens + outputTokens),
      user.id,
    )
    const unrecorded = (used.get('allTurns') ?? 0) - sum(({ outcome, weight }) => (outcome === 'refused' ? 0 : weight))
    const most = lost.get(user.id) ?? 0
    assert.ok(unrecorded >= 0 && unrecorded <= most, `${user.id}: ${unrecorded} turns have no record, of ${most}`)
  }
}

test(`usage is what the records and the upstream say, after ${TURNS} turns and ${KILLS} kills`, async () => {
  printSeed('usage fold')
  await using upstream = await startCountingUpstream()
  const path = temporaryPath()
  const turned = await turnAndKill(upstream, path)
  const { purser } = await openFoldedPurser({ path, origin: upstream.origin, wall: turned.wall })
  try {
    const records = await Array.fromAsync(purser.turns())
    assert.ok(records.length >= 0.9 * TURNS, `${records.length} records`)
    checkRecords(records, turned)
    checkUpstream(records, upstream.calls, turned)
    checkCosts(records)
    await checkSums(purser, records)
    await checkUsers(purser, records, turned)
  } finally {
    await purser.close()
  }
})
