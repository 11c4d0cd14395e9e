export interface Item {
  readonly text: string
  /** Epoch ms; the newest items stay. */
  readonly at: number
}

const SEPARATOR_BYTES = 2

/**
 * The items that fit, in their order. If not all fit, the newest stay; of two with one instant, the later in the list.
 * `wrapBytes`: size of the text around them.
 */
export function fitItems(
  items: readonly Item[],
  { maxItems, maxBytes }: { readonly maxItems: number; readonly maxBytes: number },
  wrapBytes: number,
): { fitting: readonly Item[]; cut: number } {
  const sizes = items.map((item) => Buffer.byteLength(item.text) + SEPARATOR_BYTES)
  const availableBytes = maxBytes - wrapBytes
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0)
  if (items.length <= maxItems && totalBytes <= availableBytes) return { fitting: items, cut: 0 }

  const newestFirst = items.map((_, index) => index).sort((a, b) => compareDates(items[b], items[a]) || b - a)
  const fitting = new Set<number>()
  let usedBytes = 0
  for (const index of newestFirst) {
    usedBytes += sizes[index] as number
    if (usedBytes > availableBytes || fitting.size >= maxItems) break
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

/** As many lines from the start as fit. */
export function fitLines(
  lines: readonly string[],
  {
    maxItems,
    maxBytes,
    separator,
  }: { readonly maxItems: number; readonly maxBytes: number; readonly separator: string },
): string[] {
  const fitting: string[] = []
  let usedBytes = 0
  for (const line of lines) {
    usedBytes += Buffer.byteLength(line) + separator.length
    if (usedBytes > maxBytes || fitting.length >= maxItems) break
    fitting.push(line)
  }
  return fitting
}
