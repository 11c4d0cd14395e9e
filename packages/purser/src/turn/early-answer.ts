import type { Lease } from '../runtime/api.ts'
import type { EarlyAnswer, TurnRun } from './turn-run.ts'
import { cacheableRequest } from './upstream-request.ts'

/**
 * Looks for a cached answer before the admission: its turn then ends with the admission, in one commit instead of two.
 * Undefined where something has to be read first, and for turns that are paid or answered in another way.
 */
export function findEarlyAnswer(run: TurnRun): EarlyAnswer | undefined {
  const { ticket, idempotencyKey } = run.options
  if (run.cacheMode !== 'on' || ticket !== undefined || idempotencyKey !== undefined) return undefined
  const lease = run.usesBaseSettings ? run.modules.runtime.acquireWarm() : undefined
  const found = lease && peekAnswer(run, lease)
  if (found === undefined) lease?.release()
  return found
}

function peekAnswer(run: TurnRun, lease: Lease): EarlyAnswer | undefined {
  const { modules, request } = run
  const context = modules.context.getWarm(run.contextOptions())
  if (context === undefined) return undefined
  try {
    const cacheable = cacheableRequest(request, lease, context)
    const { key, cached } = modules.answers.peek({ cacheable, incarnation: lease.incarnation })
    const prefix = cached && modules.context.comparePrefix(undefined, context.prefixHash)
    return { lease, context, cacheable, key, cached, prefix }
  } catch {
    // What is wrong is thrown again after the admission, which may be refused.
    return undefined
  }
}
