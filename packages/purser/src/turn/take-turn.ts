import type { ResolvedContext } from '../context/api.ts'
import { parseChatRequest } from '../openai/parse-request.ts'
import type { Lease } from '../runtime/api.ts'
import { answerTurn } from './answer.ts'
import { type AnsweredTurn, type BegunAnswer, TurnReader } from './answered-turn.ts'
import { callWithFallbacks } from './call-with-fallbacks.ts'
import type { TurnDeps, UserModules } from './deps.ts'
import { findEarlyAnswer } from './early-answer.ts'
import type { RefusedTurn } from './http-response.ts'
import { type TurnOptions, validateTurnOptions } from './options.ts'
import { TurnRun } from './turn-run.ts'

export type Turn = RefusedTurn | AnsweredTurn

/**
 * Runs one chat request. Resolves when the answer begins; reading it ends the turn. A refusal is a value. A failure
 * before the answer begins gives back what was counted; a client that leaves has had its turn.
 */
export async function takeTurn(
  deps: TurnDeps,
  modules: UserModules,
  body: unknown,
  options: TurnOptions = {},
): Promise<Turn> {
  const request = parseChatRequest(body)
  validateTurnOptions(options)
  const run = new TurnRun(deps, modules, request, options)

  try {
    if (options.idempotencyKey !== undefined) await run.start(options.idempotencyKey)

    // 1. Admission checks and counts in one step. Limits may depend on the model, so that is selected first. A cached answer
    // that is in memory is found before: its turn is settled with its admission.
    const selecting = run.selectModel()
    if (selecting !== undefined) await selecting
    const admission = await run.admit(findEarlyAnswer(run))
    if (!admission.allowed) return run.refuse(admission)

    // 2. The runtime and the context are independent of each other.
    const prepared = [run.acquireRuntime(), run.resolveContext()] as const
    const [lease, context] = isInMemory(prepared) ? prepared : await Promise.all(prepared)
    run.signal.throwIfAborted()

    // 3. The answer: stored, shared with an equal turn, or new from the model, or from another one if that fails.
    const call = (candidate: Lease): Promise<BegunAnswer> => answerTurn(run, candidate, context)
    const answer = await callWithFallbacks(run, lease, { call })

    // 4. The reader settles the ticket and releases the lease when the answer ends.
    return new TurnReader(run, answer)
  } catch (error) {
    return run.fail(error)
  } finally {
    run.endStart(false)
  }
}

type Prepared = readonly [Lease | Promise<Lease>, ResolvedContext | Promise<ResolvedContext>]

/** Whether neither has to be read, as for nearly every turn. */
function isInMemory(prepared: Prepared): prepared is readonly [Lease, ResolvedContext] {
  return !(prepared[0] instanceof Promise || prepared[1] instanceof Promise)
}
