import { WORDS } from '../../templates/prompt-wording.ts'
import type { ActionRow } from '../action-rows.ts'
import type { RenderContext } from '../api.ts'
import { fitItems, type Item } from './fit-items.ts'
import { type Zone, zoneOf } from './zone.ts'

/** What the renderer must tell apart in a feed. */
const VISUAL = { label: 'Video Reasoning', sublabel: 'Visual Context', withinMs: 5 * 60_000 }
const SCREEN = { label: 'Screen Reasoning', sublabel: undefined, withinMs: 2 * 60_000 }
const LABELS = new Set([VISUAL.label, SCREEN.label])

/** Names that say nothing about a person: steps of the machinery that logged them. */
export const IGNORED_ACTIONS: readonly string[] = [
  'Topic Cofirmation',
  'Topic Confirmation',
  'Topic confirmation',
  'Topic not found',
  'Topic Listing',
  'Langchain',
  'Assessment Ended',
  'Casual Conversation',
  'Probe',
  'Question Answering',
  'Fallback',
]

export interface ActionsText {
  readonly text: string
  readonly cut: number
  readonly changesAt: number
}

export type Ignores = (action: string) => boolean

/**
 * Actions as a model reads them. `create`: one item a row. `reuse`: each action once with its first and last date,
 * then what was seen and on screen in the last minutes. Items that do not fit go, the oldest first.
 */
export function renderActions(rows: readonly ActionRow[], scene: RenderContext, ignores: Ignores): ActionsText {
  const zone = zoneOf(scene.timeZone) as Zone
  const told = rows.filter((row) => !ignores(row.action))
  const ordinary = told.filter((row) => !LABELS.has(row.label ?? ''))
  return scene.mode === 'create' ? renderPlain(ordinary, scene, zone) : renderRich(told, ordinary, scene, zone)
}

function renderPlain(rows: readonly ActionRow[], scene: RenderContext, zone: Zone): ActionsText {
  const { kept, cut } = fitItems(
    rows.map((row) => itemOf(row, zone)),
    scene,
    WORDS.cutBytes,
  )
  return {
    text: listText(
      kept.map((item) => item.text),
      cut,
    ),
    cut,
    changesAt: Number.POSITIVE_INFINITY,
  }
}

function renderRich(
  told: readonly ActionRow[],
  ordinary: readonly ActionRow[],
  scene: RenderContext,
  zone: Zone,
): ActionsText {
  const visual = windowOf(told, VISUAL, scene.now)
  const screen = windowOf(told, SCREEN, scene.now)
  const groups = [
    firstAndLast(ordinary, zone),
    visual.rows.map((row) => itemOf(row, zone)),
    screen.rows.map((row) => itemOf(row, zone)),
  ]
  const { kept, cut } = fitItems(groups.flat(), scene, WORDS.frameBytes)
  const stays = new Set(kept)
  const [items, seen, shown] = groups.map((group) => group.filter((item) => stays.has(item)).map((item) => item.text))
  const parts = [...(items ?? []), ...WORDS.visualWindow(seen ?? []), ...WORDS.screenWindow(shown ?? [])]
  return {
    text: WORDS.framed(listText(parts, cut)),
    cut,
    changesAt: Math.min(visual.changesAt, screen.changesAt),
  }
}

function listText(parts: readonly string[], cut: number): string {
  if (cut > 0) return [WORDS.cutActions(String(cut)), ...parts].join(', ')
  return parts.length === 0 ? WORDS.noActions : parts.join(', ')
}

function itemOf({ action, at }: ActionRow, zone: Zone): Item {
  return { text: at === null ? action : `${action} on ${zone.format(at)}`, at: at ?? Number.NEGATIVE_INFINITY }
}

/** Undated rows have no first and last. Two dates of one second read the same, so they are one. */
function firstAndLast(rows: readonly ActionRow[], zone: Zone): Item[] {
  const spans = new Map<string, { first: number; last: number }>()
  for (const { action, at } of rows) {
    if (at === null) continue
    const span = spans.get(action)
    if (span === undefined) spans.set(action, { first: at, last: at })
    else {
      span.first = Math.min(span.first, at)
      span.last = Math.max(span.last, at)
    }
  }
  const items: Item[] = []
  for (const [action, { first, last }] of spans) {
    const item = itemOf({ action, at: first }, zone)
    items.push(item)
    const second = itemOf({ action, at: last }, zone)
    if (second.text !== item.text) items.push(second)
  }
  return items
}

/** Rows of the last minutes, and when the next one enters or leaves. */
function windowOf(
  rows: readonly ActionRow[],
  { label, sublabel, withinMs }: { label: string; sublabel: string | undefined; withinMs: number },
  now: number,
): { rows: ActionRow[]; changesAt: number } {
  const inside: ActionRow[] = []
  let changesAt = Number.POSITIVE_INFINITY
  for (const row of rows) {
    if (row.label !== label || row.at === null || (sublabel !== undefined && row.sublabel !== sublabel)) continue
    if (row.at > now) changesAt = Math.min(changesAt, row.at)
    else if (now - row.at <= withinMs) {
      inside.push(row)
      changesAt = Math.min(changesAt, row.at + withinMs + 1)
    }
  }
  return { rows: inside, changesAt }
}
