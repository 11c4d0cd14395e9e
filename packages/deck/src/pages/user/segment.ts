/** A period of time, in epoch ms. */
export interface TimeRange {
  readonly from: number
  readonly to: number
}

/** A period in which a value did not change. */
export interface Segment extends TimeRange {
  readonly value: string
  /** Sequence of the event that set the value; null when it was set before the first known event. */
  readonly sequence: number | null
}
