import { endsWithin } from '../../core/abort.ts'
import { publish } from '../../core/diagnostics.ts'
import type { Effects } from '../../core/effects.ts'

/** How long a client may take to close; then it is reported and no longer waited for. */
export const CLOSE_LIMIT_MS = 5_000

/** Why a client was let go of. */
export type CloseReason = 'idle' | 'evicted' | 'replaced' | 'crowded' | 'broken' | 'erased' | 'shutdown'

/** Closes clients off the path of any request. A close that throws or hangs is reported and stalls nobody. */
export interface GracefulClose {
  /** Never rejects; resolves when the client is closed, or no longer waited for. */
  begin(kind: 'model' | 'mcp', reason: CloseReason, close: () => Promise<void>): Promise<void>
  /** Waits, within the same limit, for a close that has not begun because its client is still opening. */
  follow(late: Promise<void>): Promise<void>
  /** Resolves when nothing is being closed any more. */
  settled(): Promise<void>
}

export function createGracefulClose({ effects, namespace }: { effects: Effects; namespace: string }): GracefulClose {
  const pending = new Set<Promise<void>>()
  const track = (ending: Promise<void>): Promise<void> => {
    const tracked: Promise<void> = ending.finally(() => pending.delete(tracked))
    pending.add(tracked)
    return tracked
  }
  return {
    begin(kind, reason, close) {
      const startedAt = effects.monotonic()
      const report = (outcome: 'closed' | 'close_failed'): void =>
        publish('client', { namespace, kind, outcome, reason, tookMs: effects.monotonic() - startedAt })
      const ended = endsWithin(effects, Promise.resolve().then(close), CLOSE_LIMIT_MS)
      return track(
        ended.then(
          (inTime) => report(inTime ? 'closed' : 'close_failed'),
          () => report('close_failed'),
        ),
      )
    },
    follow: (late) => track(endsWithin(effects, late, CLOSE_LIMIT_MS).then(() => undefined)),
    async settled() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
