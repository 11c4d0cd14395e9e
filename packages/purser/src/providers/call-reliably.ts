import type { AbortSignalLike } from '../core/call-signal.ts'
import { backoffMs, type CircuitBreaker } from '../core/circuit-breaker.ts'
import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'
import type { ChatCall } from '../openai/chat-model.ts'
import type { RetryCause, RetryOption } from '../options/provider-config.ts'

/** Failures after which a call is repeated, unless `on` names others. */
const DEFAULT_CAUSES: readonly RetryCause[] = ['connection', 'rate_limit', 'server_error']
const DEFAULT_DELAY_MS = 250
const DEFAULT_MAX_DELAY_MS = 5_000

export interface ReliableCallDeps {
  readonly effects: Pick<Effects, 'monotonic' | 'setTimer'>
  readonly provider: string
  readonly model: string
  readonly retries: RetryOption | undefined
  /** Undefined where a user named the address. */
  readonly breaker: CircuitBreaker | undefined
  /** A number from 0 to 1. */
  jitter(): number
}

/**
 * Calls an upstream, and again after a failure that the provider's `retries` name, until it begins to answer. While the
 * breaker is open no call is made. Every attempt is reported to the caller.
 */
export function callReliably<Answer>(
  deps: ReliableCallDeps,
  call: ChatCall,
  run: () => Promise<Answer>,
): Promise<Answer> {
  return deps.retries === undefined ? attemptOnce(deps, call, run) : callWithRetries(deps, call, run)
}

async function callWithRetries<Answer>(
  deps: ReliableCallDeps,
  call: ChatCall,
  run: () => Promise<Answer>,
): Promise<Answer> {
  const { effects } = deps
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(deps, call, run)
    } catch (error) {
      const delayMs = call.signal.aborted ? undefined : retryDelayMs(deps, error, attempt)
      if (delayMs === undefined) throw error
      await wait(effects, delayMs, call.signal)
    }
  }
}

async function attemptOnce<Answer>(
  { effects, provider, model, breaker }: ReliableCallDeps,
  { signal, onAttempt }: ChatCall,
  run: () => Promise<Answer>,
): Promise<Answer> {
  const startedAt = effects.monotonic()
  const permission = breaker?.permit(startedAt) ?? 'permitted'
  if (permission === 'rejected') throw notCalled(provider)
  const report = (status: number | null, code: string | null): void =>
    onAttempt?.({ provider, model, status, code, ms: Math.round(effects.monotonic() - startedAt) })
  try {
    const answer = await run()
    breaker?.recordSuccess(effects.monotonic())
    report(200, null)
    return answer
  } catch (error) {
    const isOutage = signal.aborted ? permission === 'probe' : isOutageOf(error)
    // A provider that rejects a request is there.
    if (isOutage) breaker?.recordFailure(effects.monotonic(), permission === 'probe')
    else if (!signal.aborted) breaker?.recordSuccess(effects.monotonic())
    report(statusOf(error), PurserError.is(error) ? error.code : null)
    throw error
  }
}

/** The wait before the next attempt; undefined if there is none. A longer wait than `maxDelayMs` is left to the client. */
function retryDelayMs({ retries, jitter }: ReliableCallDeps, error: unknown, attempt: number): number | undefined {
  if (retries === undefined || attempt > retries.attempts) return undefined
  const cause = causeOf(error)
  if (cause === undefined || !(retries.on ?? DEFAULT_CAUSES).includes(cause)) return undefined
  const { delayMs = DEFAULT_DELAY_MS, maxDelayMs = DEFAULT_MAX_DELAY_MS } = retries
  const asked = PurserError.is(error) ? error.details?.retryAfterMs : undefined
  if (typeof asked === 'number') return asked <= maxDelayMs ? asked : undefined
  return backoffMs(attempt, { minBackoffMs: delayMs, maxBackoffMs: maxDelayMs, jitter })
}

/** What kind of failure an error is; undefined for one that another attempt cannot change. */
function causeOf(error: unknown): RetryCause | undefined {
  if (PurserError.is(error, 'upstream_timeout')) return 'timeout'
  if (PurserError.is(error, 'upstream_rate_limited')) return 'rate_limit'
  if (!PurserError.is(error, 'upstream_failed') || error.details?.isBreakerOpen === true) return undefined
  const status = statusOf(error)
  if (status === null) return error.details?.isConnectionFailure === true ? 'connection' : undefined
  return status >= 500 ? 'server_error' : undefined
}

/** Not an error inside an answer, which may be about its request alone. */
function isOutageOf(error: unknown): boolean {
  const cause = causeOf(error)
  if (cause === undefined || cause === 'rate_limit') return false
  return !(PurserError.is(error) && error.details?.isInBand === true)
}

function statusOf(error: unknown): number | null {
  const status = PurserError.is(error) ? error.details?.status : undefined
  return typeof status === 'number' ? status : null
}

function notCalled(provider: string): PurserError {
  return new PurserError(
    'upstream_failed',
    `The provider '${provider}' failed repeatedly and is not called for a moment.`,
    {
      hint: 'Try again in a few seconds.',
      details: { isBreakerOpen: true },
    },
  )
}

function wait(effects: Pick<Effects, 'setTimer'>, delayMs: number, signal: AbortSignalLike): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel()
      reject(signal.reason)
    }
    const cancel = effects.setTimer(
      () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      },
      delayMs,
      { background: true },
    )
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
