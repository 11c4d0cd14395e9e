import { endsWithin } from '../../core/abort.ts'
import { publish } from '../../core/diagnostics.ts'
import type { Effects } from '../../core/effects.ts'

/** How long a client may take to close; after that it is reported and no longer waited for. */
export const CLOSE_LIMIT_MS = 5_000

/** Why a client is closed. */
export type CloseReason =
  /** Not used for `idleMs` or `mcpIdleMs`. */
  | 'idle'
  /** By `evict`. */
  | 'evicted'
  /** Settings or credentials have changed. */
  | 'replaced'
  /** Another client needs its slot at a limit. */
  | 'capacity'
  /** Its connection failed. */
  | 'broken'
  | 'erased'
  /** Purser closes. */
  | 'shutdown'

/** Closes clients in the background. A close that throws or hangs is reported and delays no caller. */
export interface GracefulClose {
  /** Never rejects; resolves when the client is closed or no longer waited for. */
  begin(kind: 'model' | 'mcp', reason: CloseReason, close: () => Promise<void>): Promise<void>
  /** Waits, within the same limit, for a close that begins later because its client is still opening. */
  track(later: Promise<void>): Promise<void>
  /** Resolves when no client is closing any more. */
  settled(): Promise<void>
}

export function createGracefulClose({ effects, namespace }: { effects: Effects; namespace: string }): GracefulClose {
  const pending = new Set<Promise<void>>()
  const add = (closing: Promise<void>): Promise<void> => {
    const tracked: Promise<void> = closing.finally(() => pending.delete(tracked))
    pending.add(tracked)
    return tracked
  }
  return {
    begin(kind, reason, close) {
      const startedAt = effects.monotonic()
      const report = (outcome: 'closed' | 'close_failed'): void =>
        publish('client', { namespace, kind, outcome, reason, tookMs: effects.monotonic() - startedAt })
      const ended = endsWithin(effects, Promise.resolve().then(close), CLOSE_LIMIT_MS)
      return add(
        ended.then(
          (inTime) => report(inTime ? 'closed' : 'close_failed'),
          () => report('close_failed'),
        ),
      )
    },
    track: (later) => add(endsWithin(effects, later, CLOSE_LIMIT_MS).then(() => undefined)),
    async settled() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
