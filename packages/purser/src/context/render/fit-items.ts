import { PROMPT_WORDING } from '../../templates/prompt-wording.ts'
import { fits, TextBudget, type TextLimits } from './text-budget.ts'

export interface Item {
  readonly text: string
  /** Epoch ms; the newest items stay. */
  readonly at: number
}

const SEPARATOR = ', '
/** The longest number in a statement of how much was cut. */
export const MAX_CUT = 9_999_999

/** The items that fit, in their order. If not all fit, the newest stay; of two with one instant, the later in the list. */
export function fitItems(items: readonly Item[], budget: TextBudget): { fitting: readonly Item[]; cut: number } {
  const newestFirst = items.map((_, index) => index).sort((a, b) => compareDates(items[b], items[a]) || b - a)
  const fitting = new Set<number>()
  for (const index of newestFirst) {
    if (!budget.take(`${items[index]?.text}${SEPARATOR}`)) break
    fitting.add(index)
  }
  return { fitting: items.filter((_, index) => fitting.has(index)), cut: items.length - fitting.size }
}

/** A subtraction would give NaN for two items without a date. */
function compareDates(a: Item | undefined, b: Item | undefined): number {
  const left = a?.at ?? 0
  const right = b?.at ?? 0
  return left === right ? 0 : left < right ? -1 : 1
}

/** Joins as many lines from the start as fit; the number of omitted ones becomes the last line. Empty if not even that fits. */
export function cutLines(
  lines: readonly string[],
  { head, separator, tail }: { readonly head: string; readonly separator: string; readonly tail: string },
  limits: TextLimits,
): { text: string; cut: number } {
  if (lines.length <= limits.maxItems) {
    const text = `${head}${lines.join(separator)}${tail}`
    if (fits(text, limits)) return { text, cut: 0 }
  }
  const budget = new TextBudget(limits).reserve(`${head}${tail}${PROMPT_WORDING.cutItems(MAX_CUT)}`)
  const end = lines.findIndex((line) => !budget.take(line + separator))
  const shown = end === -1 ? [...lines] : lines.slice(0, end)
  const cut = lines.length - shown.length
  if (cut > 0) shown.push(PROMPT_WORDING.cutItems(cut))
  const text = `${head}${shown.join(separator)}${tail}`
  return { text: fits(text, limits) ? text : '', cut }
}
