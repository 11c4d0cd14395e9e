import { PLAIN_WORDING } from '../../templates/plain-wording.ts'
import type { ActionRow } from '../action-rows.ts'
import type { ActionsText, IsIgnored } from './actions.ts'
import { cutLines, MAX_CUT } from './fit-items.ts'
import { type Fields, fieldText } from './profile.ts'
import { formatName } from './sanitize.ts'
import { fits, TextBudget, type TextLimits } from './text-budget.ts'
import { type Zone, zoneOf } from './zone.ts'

/** Renders a profile as its fields that have a value, one a line, in their order. */
export function renderPlainProfile(profile: Fields, limits: TextLimits): { text: string; cut: number } {
  const lines = Object.entries(profile).flatMap(([name, value]) => {
    const text = fieldText(value)
    return text === undefined ? [] : [`${formatName(name)}: ${text}`]
  })
  return cutLines(lines, { head: '', separator: '\n', tail: '' }, limits)
}

interface DatedItem {
  readonly text: string
  /** Epoch ms. */
  readonly at: number
  /** '' for an action without a date. */
  readonly day: string
}

/**
 * Renders actions from the oldest to the newest, one day a line, so that a new action leaves the earlier text as it is.
 * Actions that do not fit are cut, the oldest first.
 */
export function renderPlainActions(
  rows: readonly ActionRow[],
  { timeZone, ...limits }: TextLimits & { readonly timeZone: string },
  isIgnored: IsIgnored,
): ActionsText {
  const zone = zoneOf(timeZone) as Zone
  const items = rows
    .filter((row) => !isIgnored(row.action))
    .map((row) => itemOf(row, zone))
    .sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1))
  const changesAt = Number.POSITIVE_INFINITY
  if (items.length === 0) return { text: '', cut: 0, changesAt }
  if (items.length <= limits.maxItems) {
    const text = listText(items, 0)
    if (fits(text, limits)) return { text, cut: 0, changesAt }
  }
  const { actionsHead, cutActions } = PLAIN_WORDING
  const cut = items.length - countNewest(items, new TextBudget(limits).reserve(actionsHead + cutActions(MAX_CUT)))
  const text = listText(items.slice(cut), cut)
  return { text: fits(text, limits) ? text : '', cut, changesAt }
}

function listText(items: readonly DatedItem[], cut: number): string {
  const lines: string[] = [PLAIN_WORDING.actionsHead]
  if (cut > 0) lines.push(PLAIN_WORDING.cutActions(cut))
  let day: string | undefined
  for (const item of items) {
    if (item.day === day) lines[lines.length - 1] += `; ${item.text}`
    else lines.push(lineOf(item))
    day = item.day
  }
  return lines.join('\n')
}

/** How many of the newest items fit. */
function countNewest(items: readonly DatedItem[], budget: TextBudget): number {
  let day: string | undefined
  for (let index = items.length - 1; index >= 0; index--) {
    const item = items[index] as DatedItem
    const isTaken = budget.take(item.day === day ? `${item.text}; ` : `${lineOf(item)}\n`)
    if (!isTaken) return items.length - 1 - index
    day = item.day
  }
  return items.length
}

function lineOf({ day, text }: DatedItem): string {
  return day === '' ? text : `${day}: ${text}`
}

function itemOf({ action, at }: ActionRow, zone: Zone): DatedItem {
  if (at === null) return { text: action, at: Number.NEGATIVE_INFINITY, day: '' }
  const wallTime = zone.format(at)
  return { text: `${wallTime.slice(11, 16)} ${action}`, at, day: wallTime.slice(0, 10) }
}
