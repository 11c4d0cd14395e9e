import type { Bond, Event } from '../../api/wire.ts'
import { buildLimitPeriods } from './limit-periods.ts'
import type { Segment, TimeRange } from './segment.ts'

export interface Track {
  readonly name: 'Phase' | 'Risk' | 'Limits' | 'Blocked'
  readonly segments: readonly Segment[]
}

export interface TracksOptions {
  readonly bond: Bond
  readonly events: readonly Event[]
  readonly range: TimeRange
  /** Whether the events reach to the present: without a change among them, what the bond says is true of the whole range. */
  readonly isCurrent: boolean
}

interface Change {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly sequence: number
}

/**
 * Derives the tracks of the timeline from the log. Every change has its old and its new value, so a log that is loaded
 * in part gives correct tracks from its first change on. Adjacent segments of the same value are merged.
 */
export function buildTracks({ bond, events, range, isCurrent }: TracksOptions): readonly Track[] {
  const oldestFirst = [...events].sort((a, b) => a.sequence - b.sequence)
  const current = isCurrent ? { phase: bond.phase, riskLevel: bond.riskLevel } : { phase: null, riskLevel: null }
  const phases = buildSegments(findChanges(oldestFirst, 'phase_transition', 'phase'), current.phase, range)
  const risks = buildSegments(findChanges(oldestFirst, 'risk_change', 'riskLevel'), current.riskLevel, range)
  const tracks: readonly Track[] = [
    { name: 'Phase', segments: phases },
    { name: 'Risk', segments: risks },
    { name: 'Limits', segments: clip(buildLimitPeriods(oldestFirst), range) },
    { name: 'Blocked', segments: buildBlocks(oldestFirst, bond, range) },
  ]
  return tracks.filter(({ name, segments }) => segments.length > 0 || name === 'Phase' || name === 'Risk')
}

function findChanges(events: readonly Event[], type: string, field: 'phase' | 'riskLevel'): readonly Change[] {
  return events.flatMap((event) => {
    const { data, sequence } = event
    const at = Date.parse(event.at)
    if (event.type === type) return [{ at, sequence, from: String(data.from), to: String(data.to) }]
    if (data.action !== 'correct') return []
    const before = getTextField(data.before, field)
    const after = getTextField(data.after, field)
    return before === undefined || after === undefined ? [] : [{ at, sequence, from: before, to: after }]
  })
}

function getTextField(value: unknown, field: string): string | undefined {
  const text = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined
  return typeof text === 'string' ? text : undefined
}

/** `current` is the value when there are no changes; null: not known. */
function buildSegments(changes: readonly Change[], current: string | null, range: TimeRange): readonly Segment[] {
  const segments: Segment[] = []
  let value = changes[0]?.from ?? current
  if (value === null) return []
  let from = range.from
  let sequence: number | null = null
  for (const change of changes) {
    if (change.to === value) continue
    segments.push({ from, to: change.at, value, sequence })
    value = change.to
    from = change.at
    sequence = change.sequence
  }
  segments.push({ from, to: range.to, value, sequence })
  return clip(segments, range)
}

/** A block ends when it is lifted, replaced by another one, or over. */
function buildBlocks(events: readonly Event[], bond: Bond, range: TimeRange): readonly Segment[] {
  const segments: Segment[] = []
  let block: { from: number; until: number; sequence: number | null } | undefined
  const endBlock = (at: number): void => {
    if (block === undefined) return
    segments.push({ from: block.from, to: Math.min(at, block.until), value: 'blocked', sequence: block.sequence })
    block = undefined
  }
  for (const { at, data, sequence } of events) {
    const atMs = Date.parse(at)
    if (data.action === 'block') {
      endBlock(atMs)
      block = { from: atMs, until: parseUntil(getTextField(data.after, 'until')), sequence }
    } else if (data.action === 'unblock') endBlock(atMs)
  }
  // The event of the current block may not be loaded.
  if (block === undefined && bond.blocked !== null && segments.length === 0) {
    block = { from: Date.parse(bond.blocked.at), until: parseUntil(bond.blocked.until), sequence: null }
  }
  endBlock(range.to)
  return clip(segments, range)
}

function parseUntil(until: string | null | undefined): number {
  return until === null || until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until)
}

function clip(segments: readonly Segment[], range: TimeRange): readonly Segment[] {
  return segments
    .map((segment) => ({ ...segment, from: Math.max(segment.from, range.from), to: Math.min(segment.to, range.to) }))
    .filter((segment) => segment.to > segment.from)
}
