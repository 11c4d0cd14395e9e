import type { TurnAnswer } from '../answers/turn-answers.ts'
import type { ResolvedContext } from '../context/api.ts'
import { PurserError } from '../errors.ts'
import type { Lease, Settings } from '../runtime/api.ts'
import { answerTurn } from './answer.ts'
import type { TurnRun } from './turn-run.ts'

const UPSTREAM_FAILURES: readonly string[] = [
  'upstream_failed',
  'upstream_timeout',
  'upstream_rate_limited',
  'upstream_auth',
]
/** The user may not use a model, or it cannot do what the request asks for. */
const UNUSABLE: readonly string[] = [
  'model_not_allowed',
  'model_required',
  'provider_unknown',
  'secret_missing',
  'host_not_allowed',
  'settings_invalid',
  'unsupported_parameter',
]

/**
 * The answer of the turn's model or, when its provider fails before the first byte, of the first of the user's
 * `fallbacks` that answers. The turn is counted once. When all fail, the error is that of the turn's own model.
 */
export async function answerWithFallbacks(
  run: TurnRun,
  lease: Lease,
  context: ResolvedContext,
): Promise<{ readonly answer: TurnAnswer; readonly settings: Settings }> {
  const { settings } = lease
  try {
    return { answer: await answerTurn(run, lease, context), settings }
  } catch (error) {
    if (run.signal.aborted || !hasCode(error, UPSTREAM_FAILURES)) throw error
    for (const fallback of settings.fallbacks) {
      try {
        const other = await run.fallBack(fallback)
        return { answer: await answerTurn(run, other, context), settings: other.settings }
      } catch (next) {
        const isSkipped = hasCode(next, UPSTREAM_FAILURES) || hasCode(next, UNUSABLE)
        if (run.signal.aborted || !isSkipped) throw next
      }
    }
    throw error
  }
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return PurserError.is(error) && codes.includes(error.code)
}
