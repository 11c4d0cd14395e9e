import { publish } from '../core/diagnostics.ts'
import type { Refused } from '../ledger/decide/admission.ts'
import type { ChatRequest } from '../openai/chat.ts'
import { parseChatRequest } from '../openai/parse-request.ts'
import type { Lease } from '../runtime/api.ts'
import { answerTurn } from './answer.ts'
import { AdmissionRefused } from './answer-once.ts'
import { type AnsweredTurn, type CacheOutcome, createAnsweredTurn } from './answered-turn.ts'
import { answerHeaders } from './headers.ts'
import { type LinkedAbort, linkedAbort } from './leash.ts'
import { type TurnDeps, type TurnOptions, type UserModules, validateTurnOptions } from './options.ts'
import { createRefusedTurn, type RefusedTurn } from './refused-turn.ts'
import { selectModel } from './select-model.ts'
import { type Stopwatch, startStopwatch } from './stopwatch.ts'
import { TurnResources } from './turn-resources.ts'

export type Turn = RefusedTurn | AnsweredTurn

/**
 * One chat request through the house: admitted, then leased a runtime and given the user's context side by side,
 * then answered from what was kept or by the model. It resolves when the answer begins; how it goes on is the
 * reader's part (`turn/reading.ts`). A refusal is a value. What fails before the answer begins gives back what
 * was counted; a client that leaves has had its turn.
 */
export async function takeTurn(
  house: TurnDeps,
  parts: UserModules,
  given: unknown,
  options: TurnOptions = {},
): Promise<Turn> {
  const request = parseChatRequest(given)
  validateTurnOptions(options)
  const watch = startStopwatch(house.effects)

  const { cost, ticket, idempotencyKey, signal: abort } = options
  let isRepeat = false
  const admitted = await parts.ledger.admitTurn({
    cost,
    ticket,
    idempotencyKey,
    signal: abort,
    request: [request, options.session, options.override, options.mode],
    onReplay: () => {
      isRepeat = true
    },
  })
  if (!admitted.allowed) return refused(house, watch, admitted)

  const { admission } = admitted
  const leash = linkedAbort(abort)
  const passage = new TurnResources(isRepeat ? undefined : admitted)
  try {
    const cacheMode = house.answersEnabled ? (options.cache ?? 'on') : 'off'
    const [lease, context] = await Promise.all([
      lend(house, parts, request, options, leash).then((lent) => passage.hold(lent)),
      parts.context.resolve({
        mode: options.mode,
        timeZone: options.timeZone,
        signal: leash.signal,
        keep: cacheMode !== 'off',
      }),
    ])
    leash.signal.throwIfAborted()

    const asking = { house, parts, request, options, leash, passage, watch }
    const { source, answer, replayed, paid } = await answerTurn({ ...asking, lease, context, cacheMode, isRepeat })

    const overheadMs = watch.insideMs()
    const unread = house.effects.setTimer(() => void reading.cancel(), house.limits.unreadTimeoutMs, {
      background: true,
    })
    const reading = createAnsweredTurn({
      id: house.effects.randomId(),
      admission: paid ?? admission,
      settings: lease.settings,
      context,
      cache: source,
      overheadMs,
      answer,
      echo: request.model ?? undefined,
      streams: request.stream === true,
      wantsUsage: request.stream_options?.include_usage === true,
      headers: answerHeaders({
        settings: lease.settings,
        context,
        cache: source,
        admission: paid ?? admission,
        overheadMs,
        replayed,
        now: house.effects.now(),
      }),
      passage,
      begun: unread,
      over(outcome) {
        if (outcome !== 'completed') leash.abort()
        leash.release()
        report(house, { outcome, cache: source, overheadMs, totalMs: watch.totalMs() })
      },
    })
    return reading
  } catch (error) {
    leash.abort()
    leash.release()
    if (error instanceof AdmissionRefused) {
      await passage.giveBack()
      return refused(house, watch, error.admission)
    }
    const outcome = options.signal?.aborted ? 'cancelled' : 'failed'
    report(house, { outcome, cache: 'off', overheadMs: watch.insideMs(), totalMs: watch.totalMs() })
    await (options.signal?.aborted ? passage.settle(undefined) : passage.giveBack())
    throw error
  }
}

function refused(house: TurnDeps, watch: Stopwatch, admission: Refused): RefusedTurn {
  report(house, { outcome: 'refused', cache: 'off', overheadMs: watch.insideMs(), totalMs: watch.totalMs() })
  return createRefusedTurn(admission, house.effects.now())
}

async function lend(
  house: TurnDeps,
  { runtime }: UserModules,
  request: ChatRequest,
  options: TurnOptions,
  leash: LinkedAbort,
): Promise<Lease> {
  const { session } = options
  const override = await selectModel(runtime, house.providers, request.model, options)
  return runtime.acquire({ session, override, signal: leash.signal })
}

function report(
  house: TurnDeps,
  turn: {
    outcome: 'completed' | 'failed' | 'cancelled' | 'refused'
    cache: CacheOutcome
    overheadMs: number
    totalMs: number
  },
): void {
  publish('turn', { namespace: house.namespace, ...turn })
}
