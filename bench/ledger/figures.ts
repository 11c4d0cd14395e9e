/** The value that this fraction (0 to 1) of the numbers does not exceed. */
export function quantile(numbers: readonly number[], fraction: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5)
}

/** The nearest integer with thousands separators. */
export function formatInteger(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** A row of the table: what is measured, the result and the goal. */
export interface Figure {
  readonly title: string
  readonly value: string
  readonly goal?: string
  readonly met?: boolean
}

export function printTable(figures: readonly Figure[]): void {
  console.log('| | figure | goal | met |')
  console.log('|---|--:|--:|:--|')
  for (const { title, value, goal = '', met } of figures)
    console.log(`| ${title} | ${value} | ${goal} | ${met === undefined ? '' : met ? 'yes' : '**no**'} |`)
}
