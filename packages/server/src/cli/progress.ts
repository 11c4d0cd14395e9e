import { systemEffects } from 'purser'
import type { Terminal } from './terminal.ts'

/** A line on stderr that is drawn again while something runs. It is drawn only when stderr is a terminal. */
export interface Progress<Value> {
  update(value: Value): void
  /** Ends the line. Safe to call twice. */
  end(): void
}

const WIDTH = 24
const SECOND_MS = 1_000

/** A bar; `update` takes the fraction done, 0 to 1. */
export function createProgress(terminal: Terminal, label: string): Progress<number> {
  return createLine(terminal, (fraction: number) => {
    const percent = Math.floor(100 * Math.min(1, Math.max(0, fraction)))
    const filled = Math.round((WIDTH * percent) / 100)
    return `${label} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${percent} %`
  })
}

/** A number, for work whose total is not known before its end. */
export function createCounter(terminal: Terminal, noun: string): Progress<{ label: string; count: number }> {
  return createLine(terminal, ({ label, count }) => `${label} ${count.toLocaleString('en')} ${noun}`)
}

/**
 * Seconds, for one call that says nothing before its end. The line appears after the first second, so that quick calls leave
 * none.
 */
export async function showElapsed<Result>(terminal: Terminal, label: string, work: Promise<Result>): Promise<Result> {
  const line = createLine(terminal, (seconds: number) => `${label} ${seconds} s`)
  const startedAt = systemEffects.monotonic()
  const draw = (): void => {
    line.update(Math.round((systemEffects.monotonic() - startedAt) / SECOND_MS))
    cancelTimer = systemEffects.setTimer(draw, SECOND_MS)
  }
  let cancelTimer = systemEffects.setTimer(draw, SECOND_MS)
  try {
    return await work
  } finally {
    cancelTimer()
    line.end()
  }
}

function createLine<Value>({ stderr }: Terminal, format: (value: Value) => string): Progress<Value> {
  if (stderr.isTTY !== true) return { update() {}, end() {} }
  let drawn = ''
  return {
    update(value) {
      const text = format(value)
      if (text === drawn) return
      stderr.write(`\r${text.padEnd(drawn.length)}`)
      drawn = text
    },
    end() {
      if (drawn !== '') stderr.write('\n')
      drawn = ''
    },
  }
}
