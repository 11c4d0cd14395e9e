import type { Effects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'

export interface ChunkTimeoutOptions {
  readonly effects: Effects
  readonly provider: string
  readonly firstChunkTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Called once, with `upstream_timeout`, when patience is over. */
  readonly onLate: (reason: PurserError) => void
}

/**
 * How long an upstream may keep its reader waiting: first until it begins to answer, then between two chunks. Time in
 * which nobody waits is not the upstream's. One timer serves many chunks: when it fires it looks how long the present
 * wait has lasted and is set again for the rest; when nobody waits it is not, until somebody does.
 */
export interface ChunkTimeouts {
  /** The reader waits from now on. */
  wait(): void
  /** The reader was served. */
  served(): void
  end(): void
}

export function createChunkTimeouts(options: ChunkTimeoutOptions): ChunkTimeouts {
  const { effects, idleTimeoutMs } = options
  let waitingSince: number | undefined = effects.monotonic()
  let begun = false
  let over = false
  let cancel: (() => void) | undefined
  arm(() => late('did not begin to answer'), options.firstChunkTimeoutMs)

  function arm(run: () => void, delayMs: number): void {
    cancel = effects.setTimer(run, delayMs, { background: true })
  }

  function late(what: string): void {
    if (over) return
    over = true
    const message = `The provider '${options.provider}' ${what} in time.`
    options.onLate(new PurserError('upstream_timeout', message))
  }

  function look(): void {
    cancel = undefined
    if (over || waitingSince === undefined) return
    const waitedMs = effects.monotonic() - waitingSince
    if (waitedMs >= idleTimeoutMs) late('did not go on')
    else arm(look, idleTimeoutMs - waitedMs)
  }

  return {
    wait() {
      waitingSince ??= effects.monotonic()
      if (begun && !over && cancel === undefined) arm(look, idleTimeoutMs)
    },
    served() {
      waitingSince = undefined
      if (begun || over) return
      begun = true
      cancel?.()
      cancel = undefined
    },
    end() {
      over = true
      cancel?.()
      cancel = undefined
    },
  }
}
