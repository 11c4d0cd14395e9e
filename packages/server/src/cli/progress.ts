import type { Terminal } from './terminal.ts'

/** A progress bar on stderr. */
export interface Progress {
  /** Draws the fraction done, 0 to 1. */
  update(fraction: number): void
  /** Ends the line of the bar. */
  end(): void
}

const WIDTH = 24

/** Draws only when stderr is a terminal. */
export function createProgress({ stderr }: Terminal, label: string): Progress {
  if (stderr.isTTY !== true) return { update() {}, end() {} }
  let drawnPercent = -1
  return {
    update(fraction) {
      const percent = Math.floor(100 * Math.min(1, Math.max(0, fraction)))
      if (percent === drawnPercent) return
      drawnPercent = percent
      const filled = Math.round((WIDTH * percent) / 100)
      stderr.write(`\r${label} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${percent} %`)
    },
    end() {
      if (drawnPercent !== -1) stderr.write('\n')
    },
  }
}
