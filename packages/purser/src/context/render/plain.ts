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
  if (items.length <= limits.maxItems) {
    const all = listText(items, 0)
    if (fits(all.text, limits)) return all
  }
  const { actionsHead, cutActions } = PLAIN_WORDING
  const fitting = countNewest(items, new TextBudget(limits).reserve(actionsHead + cutActions(MAX_CUT)))
  const cut = toBlockStart(items, items.length - fitting)
  const list = listText(items.slice(cut), cut)
  return fits(list.text, limits) ? list : { ...list, text: '', stableLength: 0 }
}

function listText(items: readonly DatedItem[], cut: number): ActionsText {
  const changesAt = Number.POSITIVE_INFINITY
  if (items.length === 0 && cut === 0) return { text: '', cut, stableLength: 0, changesAt }
  let text: string = PLAIN_WORDING.actionsHead
  if (cut > 0) text += `\n${PLAIN_WORDING.cutActions(cut)}`
  let stableLength = text.length
  let day: string | undefined
  for (const item of items) {
    text += item.day === day ? `; ${item.text}` : `\n${lineOf(item)}`
    day = item.day
    if (isBlockEnd(item)) stableLength = text.length
  }
  return { text, cut, stableLength, changesAt }
}

/** About one action in eight ends a block, the same ones whatever other actions there are. */
const BLOCK_SIZE = 8
/** Items that are omitted at most to begin with a whole block. */
const MAX_ALIGNMENT = 2 * BLOCK_SIZE

/**
 * Older actions form blocks, whose ends depend on nothing but the action there. The newest actions, behind the last end,
 * are the part that changes often; and a list that has to be cut begins with a block, so that its start does not change
 * with each new action.
 */
function isBlockEnd({ text, day }: DatedItem): boolean {
  // FNV-1a, then the finalizer of MurmurHash3, without which similar texts have similar hashes.
  let hash = 0x811c9dc5
  for (const part of [day, text])
    for (let index = 0; index < part.length; index++) hash = Math.imul(hash ^ part.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return ((hash ^ (hash >>> 13)) >>> 0) % BLOCK_SIZE === 0
}

/** The next start of a block that is near, else the same index. */
function toBlockStart(items: readonly DatedItem[], cut: number): number {
  const end = Math.min(cut + MAX_ALIGNMENT, items.length)
  for (let index = cut; index < end; index++) {
    const before = items[index - 1]
    if (before !== undefined && isBlockEnd(before)) return index
  }
  return cut
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
