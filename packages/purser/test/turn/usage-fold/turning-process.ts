import { once } from 'node:events'
import type { ChatRequest } from '../../../src/openai/chat.ts'
import type { AnsweredTurn } from '../../../src/turn/answered-turn.ts'
import type { TurnOptions } from '../../../src/turn/options.ts'
import { openFoldedPurser } from './folded-purser.ts'
import {
  BATCH_UNITS,
  contentOf,
  isStreamed,
  planOfUser,
  scriptOf,
  type TurnedBatch,
  type TurningOptions,
  type TurnScript,
  USERS,
  userOf,
} from './turn-script.ts'

/*
 * Runs units of turns, batch by batch, and prints what has ended once its records are durable. The parent kills it.
 */

const options = JSON.parse(process.argv[2] ?? '') as TurningOptions
const { purser, clock } = await openFoldedPurser(options)
const ended: [string, string][] = []

async function setUp(): Promise<void> {
  for (let index = 0; index < USERS; index++) {
    const { ledger } = purser.user(userOf(index))
    const plan = planOfUser(userOf(index))
    if (plan === 'blocked') await ledger.block({ actor: 'ana', reason: 'test' })
    await ledger.setPlan(plan, { actor: 'ana' })
    if (index % 3 === 0) await ledger.setTimeZone('Asia/Kolkata')
  }
}

function requestOf(script: TurnScript): ChatRequest {
  const tool = { type: 'function', function: { name: 'search', parameters: { type: 'object' } } } as const
  return {
    model: script.kind === 'unknown' ? 'nothing' : script.model,
    messages: [{ role: 'user', content: contentOf(script) }],
    stream: isStreamed(script),
    ...(script.kind === 'tools' ? { tools: [tool] } : {}),
  }
}

interface Reading {
  readonly script: TurnScript
  readonly index: number
}

/** Runs one turn and notes its outcome. Never rejects. */
async function run(
  { script, index }: Reading,
  more: TurnOptions = {},
  onAnswer: (turn: AnsweredTurn) => Promise<void> = async () => undefined,
): Promise<void> {
  const requestId = `${script.number}.${index}`
  const note = (outcome: string): void => void ended.push([requestId, outcome])
  try {
    const turn = await purser.user(script.user).turn(requestOf(script), { cost: script.weight, requestId, ...more })
    if (!turn.allowed) return note('refused')
    await onAnswer(turn)
    const isLeft = script.kind === 'leave' || (script.kind === 'joinLeave' && index === 0)
    note((await read(turn, script, isLeft)) ? 'completed' : 'cancelled')
  } catch {
    note(more.signal === undefined ? 'failed' : 'cancelled')
  }
}

/** Reads the answer to its end, or to its last delta if it is left then. Resolves to whether it was read to the end. */
async function read(turn: AnsweredTurn, script: TurnScript, isLeft: boolean): Promise<boolean> {
  if (!isStreamed(script)) {
    await turn.completion()
    return true
  }
  let deltas = 0
  for await (const { choices } of turn.chunks) {
    if (!choices.some(({ delta }) => delta?.content)) continue
    if (++deltas < script.deltas) continue
    if (isLeft) break
    if (script.kind === 'cut') await letGoOn(script, turn)
  }
  await turn.cancel()
  return !isLeft
}

function letGoOn({ number }: TurnScript, { settings }: AnsweredTurn): Promise<unknown> {
  return fetch(`${options.origin}/continue/${number}/${settings.model}`)
}

async function abortSoon(script: TurnScript): Promise<void> {
  const controller = new AbortController()
  const running = run({ script, index: 0 }, { signal: controller.signal })
  for (let tick = 0; tick < script.abortAfter; tick++) await new Promise((resolve) => setImmediate(resolve))
  controller.abort(new Error('left'))
  await running
}

/** Both readers get the beginning; the first one leaves, and the answer goes on for the other one. */
async function leaveToOther(script: TurnScript): Promise<void> {
  const bothHaveBegun = Promise.withResolvers<void>()
  const begun: (AnsweredTurn | undefined)[] = [undefined, undefined]
  const join = async (index: number): Promise<void> => {
    await run({ script, index }, {}, (turn) => {
      begun[index] = turn
      if (!begun.includes(undefined)) bothHaveBegun.resolve()
      return bothHaveBegun.promise
    })
    bothHaveBegun.resolve()
  }
  const [first, second] = [join(0), join(1)]
  await first
  await Promise.race([bothHaveBegun.promise, second])
  if (begun[1] !== undefined) await letGoOn(script, begun[1])
  await second
}

async function runUnit(script: TurnScript): Promise<void> {
  const turns = Array.from({ length: script.turns }, (_, index) => ({ script, index }))
  if (script.kind === 'abort') await abortSoon(script)
  else if (script.kind === 'joinLeave') await leaveToOther(script)
  else if (script.kind === 'join') await Promise.all(turns.map((turn) => run(turn)))
  else for (const turn of turns) await run(turn, script.kind === 'repeat' ? { idempotencyKey: `${script.number}` } : {})
}

if (options.first === 0) await setUp()
for (let next = options.first; next < options.units; ) {
  const scripts = Array.from({ length: BATCH_UNITS }, (_, index) => scriptOf(options.seed, next + index))
  await Promise.all(scripts.map(runUnit))
  next += BATCH_UNITS
  // Everything that has ended is durable afterwards.
  await purser.usage({ by: 'provider' })
  clock.advance([60_000, 3_600_000, 20_000_000][next % 3] as number)
  const batch: TurnedBatch = { next, wall: clock.now(), ended: ended.splice(0) }
  if (!process.stdout.write(`${JSON.stringify(batch)}\n`)) await once(process.stdout, 'drain')
}
await purser.close()
