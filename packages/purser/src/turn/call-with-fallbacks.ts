import { PurserError } from '../errors.ts'
import type { Fallback } from '../options/settings-patch.ts'
import type { Lease } from '../runtime/api.ts'
import type { TurnRequest } from './turn-request.ts'
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
  'unsupported_endpoint',
  'unsupported_parameter',
]

export interface FallbackOptions<Answer> {
  /** Resolves once the model begins to answer. */
  readonly call: (lease: Lease) => Promise<Answer>
  /** Whether a provider has got a part of a request that cannot be sent again. Default: it can. */
  readonly isSpent?: (() => boolean) | undefined
}

/**
 * Calls the turn's model or, when its provider fails before the first byte, the user's `fallbacks` in order, until one
 * answers. The turn is counted once, for the model that is called: a fallback that a limit refuses is skipped. When all
 * fail, the error is that of the turn's own model.
 *
 * @param lease On the turn's own model.
 */
export function callWithFallbacks<Answer>(
  run: TurnRun<TurnRequest>,
  lease: Lease,
  options: FallbackOptions<Answer>,
): Promise<Answer> {
  return options.call(lease).catch((error: unknown) => callFallbacks(run, lease, { ...options, error }))
}

async function callFallbacks<Answer>(
  run: TurnRun<TurnRequest>,
  { settings }: Lease,
  { error, call, isSpent = () => false }: FallbackOptions<Answer> & { readonly error: unknown },
): Promise<Answer> {
  if (run.signal.aborted || !hasCode(error, UPSTREAM_FAILURES)) throw error
  for (const fallback of settings.fallbacks) {
    if (isSpent()) break
    const answered = await tryFallback(run, fallback, call)
    if (answered !== undefined) return answered.answer
  }
  throw error
}

/** Undefined: the fallback is skipped, or has failed. */
async function tryFallback<Answer>(
  run: TurnRun<TurnRequest>,
  fallback: Fallback,
  call: (lease: Lease) => Promise<Answer>,
): Promise<{ readonly answer: Answer } | undefined> {
  try {
    const lease = await run.fallBack(fallback)
    return lease && { answer: await call(lease) }
  } catch (error) {
    if (run.signal.aborted || !(hasCode(error, UPSTREAM_FAILURES) || hasCode(error, UNUSABLE))) throw error
    return undefined
  }
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return PurserError.is(error) && codes.includes(error.code)
}
