import type { Counter, Mark } from './counter.ts'

export interface Lately {
  readonly instant: number
  readonly lengthMs: number
}

/** Whether something was reported within the length of a window, before or after an instant: clocks are set back, too. */
export function isReportedLately({ marks }: Counter, key: string, { instant, lengthMs }: Lately): boolean {
  return marks?.some((mark) => mark.key === key && Math.abs(instant - mark.at) < lengthMs) ?? false
}

export function reportAt(counter: Counter, key: string, instant: number): Counter {
  return withMark(counter, { key, at: instant })
}

export interface Named {
  readonly instant: number
  readonly window: string
}

/** Whether something was reported for a window that was not opened. */
export function isReportedFor({ marks }: Counter, key: string, window: string): boolean {
  return marks?.some((mark) => mark.key === key && mark.window === window) ?? false
}

export function reportFor(counter: Counter, key: string, { instant, window }: Named): Counter {
  return withMark(counter, { key, window, at: instant })
}

function withMark(counter: Counter, mark: Mark): Counter {
  const others = counter.marks?.filter(({ key }) => key !== mark.key) ?? []
  return { ...counter, marks: [...others, mark] }
}
