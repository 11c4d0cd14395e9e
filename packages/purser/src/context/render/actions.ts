import {
  ACTION_PLACEHOLDERS,
  ACTION_TEMPLATES,
  type ActionTemplate,
  type ActionWindow,
  cutActions,
} from '../../templates/action-templates.ts'
import type { ActionRow } from '../action-rows.ts'
import type { TemplateContext } from '../modes.ts'
import { fitItems, type Item, MAX_CUT } from './fit-items.ts'
import { fits, TextBudget } from './text-budget.ts'
import { type Zone, zoneOf } from './zone.ts'

const WINDOW_LABELS = new Set(
  Object.values(ACTION_TEMPLATES).flatMap((template) => template.windows.map(({ label }) => label)),
)

export interface ActionsText {
  readonly text: string
  readonly cut: number
  /** Epoch ms; see `Rendered`. */
  readonly changesAt: number
  /** Of the text, the first characters that a new action does not change soon. */
  readonly stableLength: number
}

export type IsIgnored = (action: string) => boolean

/**
 * Renders actions by the template of the mode: the ordinary ones, then the rows of each window that are recent. Items
 * that do not fit are cut, the oldest first.
 */
export function renderActions(rows: readonly ActionRow[], context: TemplateContext, isIgnored: IsIgnored): ActionsText {
  const template = ACTION_TEMPLATES[context.mode]
  const zone = zoneOf(context.timeZone) as Zone
  const relevant = rows.filter((row) => !isIgnored(row.action))
  const ordinary = relevant.filter((row) => !WINDOW_LABELS.has(row.label ?? ''))
  const windows = template.windows.map((window) => selectWindow(relevant, window, context.now))
  const toItem = (row: ActionRow): Item => itemOf(row, zone)
  const ordinaryItems = template.repeats === 'all' ? ordinary.map(toItem) : firstAndLast(ordinary, zone)
  const windowItems = windows.map((window) => window.rows.map(toItem))

  const budget = new TextBudget(context).reserve(wrapText(template), template.wrapMaxBytes)
  const { fitting, cut } = fitItems([ordinaryItems, ...windowItems].flat(), budget)
  const remaining = new Set(fitting)
  const textsOf = (items: readonly Item[]): string[] =>
    items.filter((item) => remaining.has(item)).map((item) => item.text)
  const windowTexts = template.windows.flatMap(({ wrap }, index) => {
    const texts = textsOf(windowItems[index] ?? [])
    return texts.length === 0 ? [] : [wrap(texts.join(', '))]
  })
  const text = template.wrap(listText([...textsOf(ordinaryItems), ...windowTexts], cut))
  return {
    text: fits(text, context) ? text : '',
    cut,
    stableLength: 0,
    changesAt: Math.min(Number.POSITIVE_INFINITY, ...windows.map((window) => window.changesAt)),
  }
}

/** All text that may stand around the items. */
function wrapText({ wrap, windows }: ActionTemplate): string {
  return wrap([cutActions(MAX_CUT), ...windows.map((window) => window.wrap(''))].join(', '))
}

function listText(texts: readonly string[], cut: number): string {
  if (cut > 0) return [cutActions(cut), ...texts].join(', ')
  return texts.length === 0 ? ACTION_PLACEHOLDERS.empty : texts.join(', ')
}

function itemOf({ action, at }: ActionRow, zone: Zone): Item {
  return { text: at === null ? action : `${action} on ${zone.format(at)}`, at: at ?? Number.NEGATIVE_INFINITY }
}

/** The first and the last date of each action. Two dates within one second have the same text and give one item. */
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
    const firstItem = itemOf({ action, at: first }, zone)
    const lastItem = itemOf({ action, at: last }, zone)
    items.push(firstItem)
    if (lastItem.text !== firstItem.text) items.push(lastItem)
  }
  return items
}

/** The rows inside a window, and when the next row enters or leaves it. Rows from the future are outside. */
function selectWindow(
  rows: readonly ActionRow[],
  { label, sublabel, maxAgeMs }: ActionWindow,
  now: number,
): { rows: ActionRow[]; changesAt: number } {
  const inside: ActionRow[] = []
  let changesAt = Number.POSITIVE_INFINITY
  for (const row of rows) {
    if (row.label !== label || row.at === null || (sublabel !== undefined && row.sublabel !== sublabel)) continue
    if (row.at > now) changesAt = Math.min(changesAt, row.at)
    else if (now - row.at <= maxAgeMs) {
      inside.push(row)
      changesAt = Math.min(changesAt, row.at + maxAgeMs + 1)
    }
  }
  return { rows: inside, changesAt }
}
