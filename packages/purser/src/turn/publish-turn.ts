import type { PrefixChange } from '../context/api.ts'
import { hasSubscribers, publish } from '../core/diagnostics.ts'
import type { TokenUsage } from '../ledger/api.ts'
import type { Amount } from '../ledger/limits/amount.ts'
import { formatMoney } from '../ledger/limits/money.ts'
import type { TurnFacts } from '../ledger/turns/turn-record.ts'
import type { Attempt } from '../openai/chat-model.ts'

interface EndedTurn {
  readonly namespace: string
  readonly facts: TurnFacts
  /** Undefined where nothing was used. */
  readonly usage: TokenUsage | undefined
  /** Null: without a price. */
  readonly cost: Amount | null
  readonly attempts: readonly Attempt[]
  /** Null for a turn whose prompt Purser does not write. */
  readonly prefix: PrefixChange | null
}

/** Publishes the diagnostic of a turn that has ended. */
export function publishTurn({ namespace, facts, usage, cost, attempts, prefix }: EndedTurn): void {
  if (!hasSubscribers('turn')) return
  const { outcome, cache, provider, model, limit, overheadMs, upstreamMs, totalMs, context } = facts
  publish('turn', {
    namespace,
    outcome,
    cache,
    provider,
    model,
    limit,
    overheadMs,
    upstreamMs,
    totalMs,
    attempts,
    prefix,
    inputTokens: usage?.inputTokens ?? null,
    outputTokens: usage?.outputTokens ?? null,
    cachedTokens: usage?.cachedTokens ?? null,
    cost: cost === null ? null : formatMoney(cost),
    context,
  })
}
