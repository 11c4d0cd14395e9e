export interface Item {
  readonly text: string
  /** Epoch ms; the newest stay. */
  readonly at: number
}

/** What separates two items. */
const SEPARATOR_BYTES = 2

/**
 * The items that fit, in the order they came in. When not all do, the newest stay; of two of one instant, the later
 * in the list. `frameBytes` is what the text around them takes.
 */
export function fitItems(
  items: readonly Item[],
  { maxItems, maxBytes }: { readonly maxItems: number; readonly maxBytes: number },
  frameBytes: number,
): { kept: readonly Item[]; cut: number } {
  const sizes = items.map((item) => Buffer.byteLength(item.text) + SEPARATOR_BYTES)
  const room = maxBytes - frameBytes
  if (items.length <= maxItems && sizes.reduce((sum, size) => sum + size, 0) <= room) return { kept: items, cut: 0 }

  const newestFirst = items.map((_, index) => index).sort((a, b) => compare(items[b], items[a]) || b - a)
  const stays = new Set<number>()
  let used = 0
  for (const index of newestFirst) {
    used += sizes[index] as number
    if (used > room || stays.size >= maxItems) break
    stays.add(index)
  }
  return { kept: items.filter((_, index) => stays.has(index)), cut: items.length - stays.size }
}

/** A difference would be NaN for two items without a date. */
function compare(a: Item | undefined, b: Item | undefined): number {
  const left = a?.at ?? 0
  const right = b?.at ?? 0
  return left === right ? 0 : left < right ? -1 : 1
}
