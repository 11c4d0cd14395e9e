import type { Counter } from './usage.ts'

export interface Lately {
  readonly instant: number
  readonly lengthMs: number
}

/** Marks that hold for the length of a window. */
export function isReportedLately({ marks }: Counter, key: string, { instant, lengthMs }: Lately): boolean {
  return marks?.some((mark) => mark.key === key && instant < mark.at + lengthMs) ?? false
}

export function reportUntilLater(counter: Counter, key: string, { instant, lengthMs }: Lately): Counter {
  const marks = counter.marks?.filter((mark) => mark.key !== key && instant < mark.at + lengthMs) ?? []
  return { ...counter, marks: [...marks, { key, at: instant }] }
}
