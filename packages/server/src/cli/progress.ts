import type { Terminal } from './terminal.ts'

/** A bar on the terminal somebody sits at; nothing anywhere else. */
export interface Progress {
  /** How far it is, 0 to 1. */
  at(part: number): void
  /** Leaves the line to what comes next. */
  end(): void
}

const WIDTH = 24

export function createProgress(terminal: Terminal, label: string): Progress {
  if (terminal.talk.isTTY !== true) return { at() {}, end() {} }
  let shown = -1
  return {
    at(part) {
      const percent = Math.floor(100 * Math.min(1, Math.max(0, part)))
      if (percent === shown) return
      shown = percent
      const filled = Math.round((WIDTH * percent) / 100)
      terminal.talk.write(`\r${label} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${percent} %`)
    },
    end() {
      if (shown !== -1) terminal.talk.write('\n')
    },
  }
}
