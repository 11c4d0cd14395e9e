/**
 * The signal that a turn's own work runs under: aborted by the caller's signal, or by the turn itself. The listener
 * on the caller's signal is taken off when the turn is over, so that a long-lived signal collects nothing.
 */
export interface LinkedAbort {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
  release(): void
}

export function linkedAbort(outer: AbortSignal | undefined): LinkedAbort {
  const controller = new AbortController()
  const follow = (): void => controller.abort(outer?.reason)
  if (outer?.aborted) follow()
  else outer?.addEventListener('abort', follow)
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => outer?.removeEventListener('abort', follow),
  }
}
