import { PLAIN_WORDING } from '../../templates/plain-wording.ts'
import { CUT_LINE_MAX_BYTES, PROMPT_WORDING } from '../../templates/prompt-wording.ts'
import type { ActionRow } from '../action-rows.ts'
import type { RenderContext } from '../api.ts'
import type { ActionsText, IsIgnored } from './actions.ts'
import { fitLines } from './fit-items.ts'
import { type Fields, fieldText } from './profile.ts'
import { type Zone, zoneOf } from './zone.ts'

/** Renders a profile as its fields that have a value, one a line, in their order. */
export function renderPlainProfile(
  profile: Fields,
  { maxBytes, maxItems }: Pick<RenderContext, 'maxBytes' | 'maxItems'>,
): { text: string; cut: number } {
  const lines = Object.entries(profile).flatMap(([name, value]) => {
    const text = fieldText(value)
    return text === undefined ? [] : [`${name}: ${text}`]
  })
  const shown = fitLines(lines, { maxItems, maxBytes: maxBytes - CUT_LINE_MAX_BYTES, separator: '\n' })
  const cut = lines.length - shown.length
  if (cut > 0) shown.push(PROMPT_WORDING.cutItems(cut))
  return { text: shown.join('\n'), cut }
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
  { timeZone, maxBytes, maxItems }: Pick<RenderContext, 'timeZone' | 'maxBytes' | 'maxItems'>,
  isIgnored: IsIgnored,
): ActionsText {
  const zone = zoneOf(timeZone) as Zone
  const items = rows
    .filter((row) => !isIgnored(row.action))
    .map((row) => itemOf(row, zone))
    .sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1))
  const wrapBytes = Buffer.byteLength(PLAIN_WORDING.actionsHead) + CUT_LINE_MAX_BYTES
  const cut = items.length - countNewest(items, { maxItems, maxBytes: maxBytes - wrapBytes })
  const shown = items.slice(cut)
  if (shown.length === 0 && cut === 0) return { text: '', cut: 0, changesAt: Number.POSITIVE_INFINITY }
  const lines: string[] = [PLAIN_WORDING.actionsHead]
  if (cut > 0) lines.push(PLAIN_WORDING.cutActions(cut))
  let day: string | undefined
  for (const item of shown) {
    if (item.day === day) lines[lines.length - 1] += `; ${item.text}`
    else lines.push(lineOf(item))
    day = item.day
  }
  return { text: lines.join('\n'), cut, changesAt: Number.POSITIVE_INFINITY }
}

/** How many of the newest items fit. */
function countNewest(
  items: readonly DatedItem[],
  { maxItems, maxBytes }: { readonly maxItems: number; readonly maxBytes: number },
): number {
  let count = 0
  let usedBytes = 0
  let day: string | undefined
  for (let index = items.length - 1; index >= 0 && count < maxItems; index--) {
    const item = items[index] as DatedItem
    // Two bytes for a separator; a line break has one.
    usedBytes += Buffer.byteLength(item.day === day ? item.text : lineOf(item)) + 2
    if (usedBytes > maxBytes) break
    day = item.day
    count++
  }
  return count
}

function lineOf({ day, text }: DatedItem): string {
  return day === '' ? text : `${day}: ${text}`
}

function itemOf({ action, at }: ActionRow, zone: Zone): DatedItem {
  if (at === null) return { text: action, at: Number.NEGATIVE_INFINITY, day: '' }
  const wallTime = zone.format(at)
  return { text: `${wallTime.slice(11, 16)} ${action}`, at, day: wallTime.slice(0, 10) }
}
