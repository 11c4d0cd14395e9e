import type { Bond, LedgerEvent } from '../../api/wire.ts'

/** A stretch of time in which a value held. Instants are epoch ms. */
export interface Segment {
  readonly from: number
  readonly to: number
  readonly value: string
  /** The event that began it; null for what held before the first known one. */
  readonly sequence: number | null
}

export interface Lane {
  readonly name: 'Phase' | 'Risk' | 'Blocked'
  readonly segments: readonly Segment[]
}

type Change = { readonly at: number; readonly from: string; readonly to: string; readonly sequence: number }

/**
 * What held when, read off the log: every change says what was before and after, so even a log that is only partly
 * loaded gives true lanes from its first change on. Equal neighbours are one stretch.
 */
export function lanesOf(
  bond: Bond,
  events: readonly LedgerEvent[],
  span: { from: number; to: number },
): readonly Lane[] {
  const oldestFirst = [...events].sort((a, b) => a.sequence - b.sequence)
  const phases = segmentsOf(changesOf(oldestFirst, 'phase_transition', 'phase'), bond.phase, span)
  const risks = segmentsOf(changesOf(oldestFirst, 'risk_change', 'riskLevel'), bond.riskLevel, span)
  const blocks = blocksOf(oldestFirst, bond, span)
  const lanes: Lane[] = [
    { name: 'Phase', segments: phases },
    { name: 'Risk', segments: risks },
  ]
  return blocks.length === 0 ? lanes : [...lanes, { name: 'Blocked', segments: blocks }]
}

function changesOf(events: readonly LedgerEvent[], type: string, field: 'phase' | 'riskLevel'): readonly Change[] {
  return events.flatMap((event) => {
    const { data, sequence } = event
    const at = Date.parse(event.at)
    if (event.type === type) return [{ at, sequence, from: String(data.from), to: String(data.to) }]
    if (data.action !== 'correct') return []
    const before = fieldOf(data.before, field)
    const after = fieldOf(data.after, field)
    return before === undefined || after === undefined ? [] : [{ at, sequence, from: before, to: after }]
  })
}

function fieldOf(value: unknown, field: string): string | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined
  return typeof found === 'string' ? found : undefined
}

function segmentsOf(
  changes: readonly Change[],
  present: string,
  span: { from: number; to: number },
): readonly Segment[] {
  const stretches: Segment[] = []
  let value = changes[0]?.from ?? present
  let from = span.from
  let sequence: number | null = null
  for (const change of changes) {
    if (change.to === value) continue
    stretches.push({ from, to: change.at, value, sequence })
    value = change.to
    from = change.at
    sequence = change.sequence
  }
  stretches.push({ from, to: span.to, value, sequence })
  return clip(stretches, span)
}

function blocksOf(events: readonly LedgerEvent[], bond: Bond, span: { from: number; to: number }): readonly Segment[] {
  const stretches: Segment[] = []
  let open: { from: number; until: number; sequence: number | null } | undefined
  const end = (at: number): void => {
    if (open === undefined) return
    stretches.push({ from: open.from, to: Math.min(at, open.until), value: 'blocked', sequence: open.sequence })
    open = undefined
  }
  for (const { at, data, sequence } of events) {
    const moment = Date.parse(at)
    if (data.action === 'block') {
      end(moment)
      open = { from: moment, until: untilOf(fieldOf(data.after, 'until')), sequence }
    } else if (data.action === 'unblock') end(moment)
  }
  if (open === undefined && bond.blocked !== null && stretches.length === 0) {
    open = { from: Date.parse(bond.blocked.at), until: untilOf(bond.blocked.until), sequence: null }
  }
  end(span.to)
  return clip(stretches, span)
}

function untilOf(until: string | null | undefined): number {
  return until === null || until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until)
}

function clip(stretches: readonly Segment[], span: { from: number; to: number }): readonly Segment[] {
  return stretches
    .map((stretch) => ({ ...stretch, from: Math.max(stretch.from, span.from), to: Math.min(stretch.to, span.to) }))
    .filter((stretch) => stretch.to > stretch.from)
}
